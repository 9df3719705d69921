/**
 * Runs the commands of CONTRIBUTING.md, one after the other, as a newcomer would: `npm run commands`.
 *
 *     tsx dev/documented-commands.ts [TEXT]
 *
 * TEXT  only commands that contain it
 *
 * Exits with 1 at the first that does not do what the page says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DocumentedCommand, documentedCommands } from './docs/commands.js';
import { armDeadMansSwitch, signalGroup } from './services/dead-mans-switch.js';
import { findFreePort } from './services/free-port.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WITHIN_MS = 300_000;
const LAST_CHARACTERS = 3000;

/** Runs a command to its end, or until it has said what it is to say. @throws Error with the end of its output */
async function run({ text, until, input = '' }: Extract<DocumentedCommand, { run: true }>): Promise<void> {
  // Nobody else's port, and a watch mode that AVA would refuse on a machine for continuous integration.
  const env = { SERVER_A_PORT: String(await findFreePort()), ...process.env, AVA_FORCE_CI: 'not-ci' };
  const child = spawn('bash', ['-ec', text], { cwd: ROOT, env, detached: true, stdio: 'pipe' });
  const deadMansSwitch = await armDeadMansSwitch('kill -s KILL -- "-$1"', [String(child.pid)]);
  const group = child.pid ?? 0;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      // Enough seen: Ctrl-C.
      if (until?.test(output)) signalGroup(group, 'SIGINT');
    });
  }
  child.stdin.on('error', () => {});
  child.stdin.write(input);
  const limit = setTimeout(() => signalGroup(group, 'SIGKILL'), WITHIN_MS);
  const code = await exitCode(child);
  clearTimeout(limit);
  deadMansSwitch.disarm();
  const good = until === undefined ? code === 0 : until.test(output);
  if (!good) throw new Error(`${text}: ended with ${code}\n…${output.slice(-LAST_CHARACTERS)}`);
}

async function exitCode(child: ChildProcess): Promise<number | string> {
  await once(child, 'close');
  return child.exitCode ?? child.signalCode ?? 'unknown';
}

async function main(only: string): Promise<void> {
  const page = readFileSync(`${ROOT}CONTRIBUTING.md`, 'utf8');
  for (const command of documentedCommands(page)) {
    if (!command.text.includes(only)) continue;
    if (!command.run) {
      process.stdout.write(`not run     ${command.text}: ${command.because}\n`);
      continue;
    }
    const startedAt = performance.now();
    await run(command);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    process.stdout.write(`good ${String(seconds).padStart(4)} s ${command.text.replaceAll('\n', '; ')}\n`);
  }
}

await main(process.argv[2] ?? '').catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
