/** Where the CPU of an accepted request goes, from a CPU profile of the gateway under load. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Outcome } from './experiment.js';
import { slice } from './measure.js';
import { type CallFrame, nameOf, partOf } from './parts.js';
import { KEYED } from './requests.js';
import { fixed, table } from './table.js';
import type { Target } from './target.js';

/** Functions that are shown. */
const SHOWN = 40;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
}

/** What V8 writes with --cpu-prof. Times are microseconds. */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds of a request, by part and by function. */
interface Profiled {
  readonly byPart: ReadonlyMap<string, number>;
  readonly byFunction: ReadonlyMap<string, number>;
}

/** Loads a gateway and the floor while they are profiled, and sums the samples up by part and by function. */
export async function profile(bench: Bench): Promise<Outcome> {
  const gateway = await profileOf(bench, (nodeArgs) => bench.gateway({}, nodeArgs));
  const floor = await profileOf(bench, (nodeArgs) => bench.floor(nodeArgs));
  const parts = [...new Set([...sorted(gateway.byPart), ...sorted(floor.byPart)].map(([part]) => part))];
  const columns = [gateway, floor].map(({ byPart }) => byPart);
  const rows = parts.map((part) => [part, ...columns.map((sums) => fixed(sums.get(part) ?? 0))]);
  const all = [
    'in all',
    ...columns.map((sums) => fixed([...sums.values()].reduce((sum, us) => sum + us, 0))),
  ];
  const functions = sorted(gateway.byFunction).slice(0, SHOWN);
  return {
    table: [
      table(
        'Where the main thread is for a keyed, accepted request, µs',
        ['part', 'gateway', 'floor'],
        [...rows, all],
      ),
      table(
        'The functions of the gateway that take most',
        ['function', 'µs'],
        functions.map(([name, us]) => [name, fixed(us, 2)]),
      ),
    ].join('\n\n'),
    figures: [gateway, floor].map(({ byPart, byFunction }) => ({
      byPart: Object.fromEntries(byPart),
      byFunction: Object.fromEntries(byFunction),
    })),
  };
}

const sorted = (sums: ReadonlyMap<string, number>): [string, number][] =>
  [...sums].sort((a, b) => b[1] - a[1]);

async function profileOf(
  bench: Bench,
  start: (nodeArgs: readonly string[]) => Promise<Target>,
): Promise<Profiled> {
  const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-profile-'));
  const target = await start(['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  let requests = 0;
  for (let n = 0; n < (bench.quick ? 2 : 5); n += 1) {
    const { perSecond, seconds } = await slice({ target, kind: KEYED, connections: 64 }, bench.sliceMs);
    requests += perSecond * seconds;
    bench.progress(`profile  ${target.name}, slice ${n + 1}`);
  }
  await target.stop();
  const profiles = await Promise.all(
    (await readdir(folder)).map(
      async (file): Promise<Profile> => JSON.parse(await readFile(join(folder, file), 'utf8')),
    ),
  );
  await rm(folder, { recursive: true });
  const [byPart, byFunction] = [new Map<string, number>(), new Map<string, number>()];
  const add = (sums: Map<string, number>, name: string, us: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + us / requests);
  };
  // Modules may be read by a thread of their own, which has a profile of its own.
  const { nodes, samples, timeDeltas } = longest(profiles);
  const frameById = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  samples.forEach((id, n) => {
    const frame = frameById.get(id);
    if (frame === undefined || frame.functionName === '(idle)') return;
    add(byPart, partOf(frame), timeDeltas[n] ?? 0);
    add(byFunction, nameOf(frame), timeDeltas[n] ?? 0);
  });
  return { byPart, byFunction };
}

function longest(profiles: readonly Profile[]): Profile {
  const [first, ...rest] = profiles;
  if (first === undefined) throw new Error('no profile was written');
  return rest.reduce((most, one) => (one.samples.length > most.samples.length ? one : most), first);
}
