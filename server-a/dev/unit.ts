/**
 * Runs the unit tests, for `make unit`: without arguments all of them; with arguments, those that AVA takes them for
 * (`test/unit/layers/auth.test.ts`, `--match='*auth*'`, `--watch`).
 *
 * AVA would start a process for each file, and most of a unit test's time is the start of its process. So the files are
 * dealt out to some AVAs, in one process each, and the reports of all are written as one. Not one AVA with
 * several processes: told that tests run one by one, it runs its processes one by one too. And one by one they run, as
 * some tests replace the clock of the process.
 *
 * Exits with 1 where a test has failed, or an AVA has not come to its end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { UnitReport } from './unit-report.js';

const FOLDER = new URL('../test/unit/', import.meta.url);
/** Beyond this, one more process costs more than it saves: each reads most of the code anew. */
const MOST_PROCESSES = 4;

/** Seconds that the longest files take. They are dealt out first, so that all processes end at about the same time. */
const LONGEST: Readonly<Record<string, number>> = {
  'redis/connect-cluster.test.ts': 2.5,
  'redis/connect-sentinel.test.ts': 1.2,
  'connection/reply-deadlines.test.ts': 1,
  'background/reload.test.ts': 0.8,
  'support/tcp-proxy.test.ts': 0.8,
  'attempt/settlement.test.ts': 0.7,
  'config/faults.test.ts': 0.5,
  'http/connection.test.ts': 0.5,
  'operations/metrics-page.test.ts': 0.5,
  'simulator/mutants.test.ts': 0.4,
};
/** Seconds that any other file takes. */
const USUAL = 0.06;
const secondsOf = (file: string): number => LONGEST[file] ?? USUAL;

/**
 * Where a file comes in its process. Redis's clients come early: ioredis leaves timers of some seconds behind each
 * connection that has ended, and a process waits for them before it ends. By then they are over.
 */
const placeOf = (file: string): number => (file.startsWith('redis/') ? 0 : 1);

/** Deals the files out to so many processes, each to the one that has least to do. */
function deal(files: readonly string[], processes: number): string[][] {
  const hands = Array.from({ length: processes }, () => ({ seconds: 0, files: [] as string[] }));
  for (const file of files.toSorted((one, other) => secondsOf(other) - secondsOf(one))) {
    const hand = hands.reduce((least, each) => (each.seconds < least.seconds ? each : least));
    hand.seconds += secondsOf(file);
    hand.files.push(file);
  }
  return hands.map((hand) => hand.files.toSorted((one, other) => placeOf(one) - placeOf(other)));
}

/** Writes the files that import the tests' files: `all-1-of-2.ts`, … Returns their paths. */
function dealtOut(processes: number): string[] {
  const tests = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
  return deal(tests, processes).map((imports, index) => {
    const name = `all-${index + 1}-of-${processes}.ts`;
    const text = imports.map((file) => `import './${file}';\n`).join('');
    const path = new URL(name, FOLDER);
    // Another run may be reading it.
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
    return `test/unit/${name}`;
  });
}

function startAva(args: readonly string[], dealt: string | undefined, stdio: 'inherit' | 'pipe') {
  const env = {
    ...process.env,
    ...(dealt !== undefined && { UNIT_FILE: dealt }),
    ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
  };
  return spawn('ava', ['--config', 'ava.unit.config.js', ...args], {
    stdio: ['inherit', stdio, 'inherit'],
    env,
  });
}

/** Runs one AVA, which reports for itself. Resolves to whether it succeeded. */
async function runOne(args: readonly string[], dealt?: string): Promise<boolean> {
  const [code] = await once(startAva(args, dealt, 'inherit'), 'exit');
  return code === 0;
}

/** Runs everything. Resolves to whether all of it succeeded. */
async function runAll(): Promise<boolean> {
  const report = new UnitReport((line) => process.stdout.write(`${line}\n`));
  // One more than there are cores: some tests wait.
  const processes = Math.min(availableParallelism() + 1, MOST_PROCESSES);
  const runs = dealtOut(processes).map(async (dealt) => {
    const ava = startAva([], dealt, 'pipe');
    const part = report.begin();
    if (ava.stdout !== null) createInterface({ input: ava.stdout }).on('line', (line) => part.read(line));
    const [code, signal] = await once(ava, 'close');
    part.end(code ?? signal);
  });
  await Promise.all(runs);
  return report.end();
}

async function main(args: readonly string[]): Promise<boolean> {
  if (args.length === 0) return runAll();
  // A file that is named or watched has a process of its own. A title may be anywhere: one process looks everywhere.
  const eachFileAlone = args.some((argument) => /\.test\.ts|^-w$|^--watch$/.test(argument));
  return eachFileAlone ? runOne(args) : runOne(args, dealtOut(1)[0]);
}

// This process has nothing of its own to end: a Ctrl-C reaches the children too.
process.on('SIGINT', () => {});
process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
