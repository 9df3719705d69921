/**
 * Runs a command beside a private Redis and a private RabbitMQ, and exits with its exit code:
 *
 *     tsx dev/with-services.ts <command> [args…]
 *
 * The servers listen on free ports of 127.0.0.1 and keep their data in a new temporary folder, so any number
 * of these can run at once. The command finds in its environment:
 *
 * - `TEST_REDIS_URL`     URL of the Redis, database 0
 * - `TEST_RABBITMQ_URL`  URL of the RabbitMQ, virtual host `/`, user guest
 * - `TEST_RABBITMQCTL`   path of a program that is `rabbitmqctl` for that RabbitMQ: run it with any arguments
 *
 * and programs of node_modules/.bin on its PATH. Servers and data are gone when this ends, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onEndRequest } from './end-request.js';
import { armDeadMansSwitch } from './services/dead-mans-switch.js';
import { startPrivateServices } from './services/private-services.js';

const COMMAND_NOT_FOUND = 127;
const TERM_GRACE_MS = 10_000;
const BINARIES = [
  fileURLToPath(new URL('../node_modules/.bin', import.meta.url)),
  fileURLToPath(new URL('../../node_modules/.bin', import.meta.url)),
];

async function main([command, ...args]: string[]): Promise<number> {
  if (command === undefined) {
    process.stderr.write('Usage: tsx dev/with-services.ts <command> [args…]\n');
    return 2;
  }
  // While the servers start, ending is all that is to be done: their dead man's switches end them.
  let endCommand = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
  onEndRequest((signal) => endCommand(signal));

  const { redis, rabbitmq, stop } = await startPrivateServices();
  try {
    const child = spawn(command, args, {
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: [...BINARIES, process.env['PATH'] ?? ''].join(delimiter),
        TEST_REDIS_URL: redis.url,
        TEST_RABBITMQ_URL: rabbitmq.url,
        TEST_RABBITMQCTL: rabbitmq.ctlPath,
      },
    });
    endCommand = (signal) => end(child, signal);
    return await exitCode(child, command);
  } finally {
    await stop();
  }
}

async function exitCode(child: ChildProcess, command: string): Promise<number> {
  const switchForCommand =
    child.pid === undefined ? undefined : await armDeadMansSwitch('kill "$1"', [`${child.pid}`]);
  try {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  } catch (error) {
    process.stderr.write(
      `Cannot run ${command}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return COMMAND_NOT_FOUND;
  } finally {
    switchForCommand?.disarm();
  }
  return child.exitCode ?? 128 + (child.signalCode === null ? 0 : constants.signals[child.signalCode]);
}

/** Ctrl-C in a terminal reaches the command as well; it gets a moment to end by itself. */
function end(child: ChildProcess, signal: NodeJS.Signals): void {
  setTimeout(() => child.kill('SIGTERM'), signal === 'SIGINT' ? 2_000 : 0).unref();
  setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS).unref();
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
// The listeners for signals would not keep the process alive, but a command's orphan that holds a pipe could.
process.exit();
