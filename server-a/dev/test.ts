/**
 * Runs the tests, for `npm test`: without arguments all of them, stage by stage; with arguments, those that AVA takes them
 * for (`test/lua/admit.test.ts --match='*twin*'`).
 *
 * Every stage runs, also behind one that failed, so that one run shows everything. Exits with 1 when one has failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const WITH_SERVICES = ['tsx', fileURLToPath(new URL('with-services.ts', import.meta.url))];
const UNIT = ['tsx', fileURLToPath(new URL('unit.ts', import.meta.url))];

/** Milliseconds after which a stage hangs: AVA waits for ever for a test file whose process does not end. */
const STAGE_LIMIT_MS = 900_000;

/** Resolves to whether the command succeeded. */
async function run([command = '', ...args]: readonly string[], stage?: string): Promise<boolean> {
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, TEST_STAGE: stage } });
  const limit = setTimeout(() => {
    process.stderr.write(`The stage ${stage} hangs, and is ended.\n`);
    child.kill();
  }, STAGE_LIMIT_MS);
  // Who runs one file, perhaps with --watch, ends it.
  if (stage === undefined) clearTimeout(limit);
  const [code] = await once(child, 'exit');
  clearTimeout(limit);
  return code === 0;
}

async function main(args: readonly string[]): Promise<boolean> {
  if (args.length > 0) return run([...WITH_SERVICES, 'ava', ...args]);
  const passed = [await run(UNIT, 'unit')];
  for (const stage of ['light', 'heavy']) passed.push(await run([...WITH_SERVICES, 'ava'], stage));
  return passed.every(Boolean);
}

// This process has nothing of its own to end: a Ctrl-C reaches the children too.
process.on('SIGINT', () => {});
process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
