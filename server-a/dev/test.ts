/**
 * Runs the tests, for `npm test`: without arguments all of them, stage by stage; with arguments, those that AVA takes them
 * for (`test/lua/admit.test.ts --match='*twin*'`).
 *
 * Every stage runs, also behind one that failed, so that one run shows everything; what has failed is said once more at
 * the end. Exits with 1 when a stage has failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { StageReport } from './stage-report.js';

const TSX = 'tsx';
const WITH_SERVICES = [fileURLToPath(new URL('with-services.ts', import.meta.url)), 'ava'];
const UNIT = [fileURLToPath(new URL('unit.ts', import.meta.url))];

/** Milliseconds after which a stage hangs: AVA waits for ever for a test file whose process does not end. */
const STAGE_LIMIT_MS = 900_000;
/** Milliseconds that the last lines of a stage may take behind its end. A process that it left may hold its output open. */
const LAST_LINES_MS = 1_000;

/** Runs a stage. Resolves to nothing where it succeeded, and else to what is to be said once more. */
async function runStage(stage: string, args: readonly string[]): Promise<string[]> {
  const report = new StageReport(stage);
  const child = spawn(TSX, args, {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, TEST_STAGE: stage, ...(process.stdout.isTTY && { FORCE_COLOR: '1' }) },
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    process.stdout.write(`${line}\n`);
    report.read(line);
  });
  const limit = setTimeout(() => {
    process.stderr.write(`The stage ${stage} hangs, and is ended.\n`);
    child.kill();
  }, STAGE_LIMIT_MS);
  const allIsRead = once(child, 'close');
  const [code] = await once(child, 'exit');
  clearTimeout(limit);
  await Promise.race([allIsRead, sleep(LAST_LINES_MS, undefined, { ref: false })]);
  return code === 0 ? [] : report.lines;
}

/** Resolves to whether all stages succeeded. */
async function runAll(): Promise<boolean> {
  const failures = [
    await runStage('unit', UNIT),
    await runStage('light', WITH_SERVICES),
    await runStage('heavy', WITH_SERVICES),
  ].flat();
  for (const line of failures) process.stdout.write(`${line}\n`);
  return failures.length === 0;
}

/** Resolves to whether those succeeded that AVA takes the arguments for. Who runs one file, perhaps with --watch, ends it. */
async function runSome(args: readonly string[]): Promise<boolean> {
  const [code] = await once(spawn(TSX, [...WITH_SERVICES, ...args], { stdio: 'inherit' }), 'exit');
  return code === 0;
}

// This process has nothing of its own to end: a Ctrl-C reaches the children too.
process.on('SIGINT', () => {});
const args = process.argv.slice(2);
process.exitCode = (await (args.length === 0 ? runAll() : runSome(args))) ? 0 : 1;
