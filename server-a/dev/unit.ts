/**
 * Runs the unit tests, for `make unit`: without arguments all of them; with arguments, those that AVA takes them for
 * (`test/unit/layers/auth.test.ts`, `--match='*auth*'`, `--watch`).
 *
 * AVA would start a process for each file, and most of a unit test's time is the start of its process. So the files are
 * dealt out to one AVA for each core, in one process each, and the reports of all are written as one. Not one AVA with
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

/** What takes longest. Dealt out first, so that no process has all of it. */
const LONGEST = [
  'redis/connect-cluster.test.ts',
  'operations/metrics-page.test.ts',
  'config/summary.test.ts',
  'redis/connect-sentinel.test.ts',
  'config/faults.test.ts',
  'logging/log.test.ts',
];

/**
 * Where a file comes. Redis's clients come early: ioredis leaves timers of some seconds behind each connection that has
 * ended, and a process waits for them before it ends. By then they are over.
 */
function placeOf(file: string): number {
  const place = LONGEST.indexOf(file);
  if (place >= 0) return place;
  return LONGEST.length + (file.startsWith('redis/') ? 0 : 1);
}

/** Writes the files that import the tests' files: `all-1-of-2.ts`, … Returns their paths. */
function dealtOut(processes: number): string[] {
  const tests = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .sort((one, other) => placeOf(one) - placeOf(other) || one.localeCompare(other));
  return Array.from({ length: processes }, (_, index) => {
    const name = `all-${index + 1}-of-${processes}.ts`;
    const imports = tests.filter((_file, place) => place % processes === index);
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
  const runs = dealtOut(Math.min(availableParallelism(), MOST_PROCESSES)).map(async (dealt) => {
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
