/** `make chaos-cluster`: every event under load, alone and in pairs, and a table of what came of it. */
import { parseArgs } from 'node:util';
import { type ClusterEvent, EVENTS, PAIRS } from './events.js';
import { type Row, runExperiment } from './experiment.js';
import { startNodes } from './world.js';

const COLUMNS: readonly { readonly title: string; readonly of: (row: Row) => string | number }[] = [
  { title: 'event', of: (row) => row.event },
  { title: 'requests', of: (row) => row.requests },
  { title: 'accepted', of: (row) => row.accepted },
  { title: 'refused', of: (row) => row.refused },
  { title: 'unknown', of: (row) => row.unknown },
  { title: 'ids queued', of: (row) => row.distinctQueued },
  { title: 'messages queued', of: (row) => row.messagesQueued },
  { title: 'missing', of: (row) => row.missing },
  { title: 'two ids', of: (row) => row.keysWithTwoIds },
  { title: 'drift', of: (row) => row.drift },
  { title: 'slowest answer', of: (row) => `${Math.round(row.slowestMs)} ms` },
  { title: 'without service', of: (row) => `${Math.round(row.withoutServiceMs)} ms` },
  { title: 'one client without', of: (row) => `${Math.round(row.clientWithoutServiceMs)} ms` },
  { title: 'ready after', of: (row) => `${Math.round(row.readyMs)} ms` },
];

const asLine = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
  const wanted = ({ name }: { readonly name: string }): boolean =>
    values.only === undefined || values.only.some((word) => name.startsWith(word));
  const named = (name: string) => EVENTS.filter((event) => event.name === name);
  const alone = EVENTS.filter(wanted).map((event) => [event]);
  const pairs = PAIRS.map((names) => names.flatMap(named)).filter((events) =>
    wanted({ name: `pair: ${events.map(({ name }) => name).join(' + ')}` }),
  );
  const leavesData = ([event]: readonly ClusterEvent[]): boolean => event?.leavesData === true;
  const plan = [...alone.filter((events) => !leavesData(events)), ...pairs, ...alone.filter(leavesData)];
  const startedAt = performance.now();
  const nodes = await startNodes();
  process.stdout.write(
    `All nodes are up after ${Math.round((performance.now() - startedAt) / 100) / 10} s.\n\n`,
  );
  process.stdout.write(asLine(COLUMNS.map(({ title }) => title)));
  process.stdout.write(asLine(COLUMNS.map((_, index) => (index === 0 ? '---' : '---:'))));
  let failed = 0;
  try {
    for (const events of plan) {
      const row = await runExperiment(nodes, events);
      process.stdout.write(asLine(COLUMNS.map(({ of }) => of(row))));
      for (const violation of row.violations) process.stdout.write(`VIOLATED: ${violation}\n`);
      if (row.violations.length > 0) failed += 1;
    }
  } finally {
    await nodes.stop();
  }
  process.stdout.write(`\n${plan.length - failed} passed, ${failed} failed.\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
process.exit();
