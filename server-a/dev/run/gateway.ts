import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { armDeadMansSwitch } from '../services/dead-mans-switch.js';

/** The gateway as a child process; its stdout and stderr are this process's. */
export interface Gateway {
  /** Resolves with a sentence once the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /**
   * Resolves when `/readyz` answers 200.
   * @throws Error with a sentence when it ends or is not ready in time.
   */
  untilReady(baseUrl: string): Promise<void>;
  /** Asks it to end, and makes it end if it takes longer than its own limit allows. */
  stop(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

const READY_WITHIN_MS = 30_000;
const PROBE_INTERVAL_MS = 100;
const PROBE_TIMEOUT_MS = 2_000;
const DEFAULT_SHUTDOWN_MS = 10_000;
const SHUTDOWN_MARGIN_MS = 3_000;

/**
 * Starts `node server-a/dist/main.js` in a process group of its own, so that Ctrl-C does not reach it before
 * this process has decided on the order in which things end. It ends if this process dies.
 * @param root folder of the repository, and the gateway's working directory.
 */
export async function startGateway(root: string, env: NodeJS.ProcessEnv): Promise<Gateway> {
  const child = spawn(process.execPath, ['server-a/dist/main.js'], {
    cwd: root,
    env,
    stdio: 'inherit',
    detached: true,
  });
  const ended = whenEnded(child);
  const deadMansSwitch = await armDeadMansSwitch('kill "$1"', [String(child.pid)]);
  void ended.then(() => deadMansSwitch.disarm());
  return {
    ended,
    untilReady: (baseUrl) => untilReady(baseUrl, ended),
    async stop() {
      child.kill('SIGTERM');
      const limit = Number(env['SHUTDOWN_TIMEOUT_MS'] ?? DEFAULT_SHUTDOWN_MS) + SHUTDOWN_MARGIN_MS;
      const force = setTimeout(() => child.kill('SIGKILL'), limit);
      await ended;
      clearTimeout(force);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function whenEnded(child: ChildProcess): Promise<string> {
  try {
    await once(child, 'exit');
  } catch (error) {
    return `The gateway could not be started: ${String(error)}`;
  }
  const how = child.signalCode === null ? `exit code ${child.exitCode}` : child.signalCode;
  return `The gateway has ended (${how}).`;
}

async function untilReady(baseUrl: string, ended: Promise<string>): Promise<void> {
  let endedWith: string | undefined;
  void ended.then((sentence) => {
    endedWith = sentence;
  });
  let answer = 'no answer';
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    if (endedWith !== undefined) throw new Error(endedWith);
    try {
      const response = await fetch(`${baseUrl}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      answer = `${response.status} ${await response.text()}`;
      if (response.ok) return;
    } catch (error) {
      answer = String(error);
    }
    await delay(PROBE_INTERVAL_MS);
  }
  throw new Error(`The gateway is not ready after ${READY_WITHIN_MS / 1000} s; /readyz says: ${answer}`);
}
