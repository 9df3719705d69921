import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { armDeadMansSwitch, type DeadMansSwitch, signalGroup } from './dead-mans-switch.js';
import { whyPortIsClosed } from './free-port.js';

/** How to run one server in the foreground, and how to see that it serves. */
export interface ServiceDefinition {
  /** Name for error messages, such as `Redis`. */
  readonly name: string;
  /** TCP port on 127.0.0.1 that it listens on. */
  readonly port: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Receives stdout and stderr; appended to. */
  readonly logFile: string;
  /** Resolves once the server answers a real request; rejects while it does not. Must not hang for long. */
  readonly probe: () => Promise<void>;
  readonly readyWithinMs: number;
  readonly stopWithinMs: number;
}

const PROBE_INTERVAL_MS = 50;
const LOG_TAIL_LINES = 25;
const GROUP_GONE_WITHIN_MS = 2_000;

/**
 * One server process that can be started, stopped, killed and frozen again and again.
 *
 * It is the leader of its own process group, so that Ctrl-C in a terminal reaches only this process, which
 * then stops its servers in order; a dead man's switch ends the group if this process dies without doing so.
 * It does not keep this process alive.
 */
export class ServiceProcess {
  private child: ChildProcess | undefined;
  private switch: DeadMansSwitch | undefined;

  constructor(private readonly definition: ServiceDefinition) {}

  /** Process id (also the id of its process group), or undefined while it does not run. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Starts the server and waits until it answers; does nothing if it already runs.
   * @throws Error when its port is in use, and Error with the end of its log when it exits or does not answer
   *   within `readyWithinMs`.
   */
  async start(): Promise<void> {
    if (this.child !== undefined) return;
    const { name, port, command, args, env, logFile } = this.definition;
    // Otherwise the probe could be answered by a stranger on that port.
    if ((await whyPortIsClosed(port)) !== undefined) {
      throw new Error(`${name} cannot start: port ${port} on 127.0.0.1 is already in use.`);
    }
    const log = openSync(logFile, 'a');
    const child = spawn(command, args, { detached: true, env, stdio: ['ignore', log, log] });
    closeSync(log);
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new Error(`Cannot start ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.child = child;
    child.once('exit', () => this.forget(child));
    child.unref();
    try {
      const deadMansSwitch = await armDeadMansSwitch('kill -s KILL -- "-$1"', [String(child.pid)]);
      // The server may have ended meanwhile, and its id may go to a stranger.
      if (this.child === child) this.switch = deadMansSwitch;
      else deadMansSwitch.disarm();
      await this.waitUntilReady(child);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Asks the server to end, as an operator would, and makes it end if it takes longer than `stopWithinMs`. */
  async stop(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.resume();
    child.kill('SIGTERM');
    if (!(await exitsWithin(child, this.definition.stopWithinMs))) await this.kill();
  }

  /** Ends the server at once with SIGKILL, as a crash would; resolves when the whole group is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined) return;
    signalGroup(child.pid, 'SIGKILL');
    await exitsWithin(child, GROUP_GONE_WITHIN_MS);
    const deadline = Date.now() + GROUP_GONE_WITHIN_MS;
    while (signalGroup(child.pid, 0) && Date.now() < deadline) await delay(5);
  }

  /** Suspends the server (SIGSTOP): connections stay open and nothing answers. */
  freeze(): void {
    if (this.pid !== undefined) signalGroup(this.pid, 'SIGSTOP');
  }

  /** Lets a frozen server go on (SIGCONT). */
  resume(): void {
    if (this.pid !== undefined) signalGroup(this.pid, 'SIGCONT');
  }

  private forget(child: ChildProcess): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.switch?.disarm();
    this.switch = undefined;
  }

  private async waitUntilReady(child: ChildProcess): Promise<void> {
    const { name, probe, readyWithinMs } = this.definition;
    const deadline = Date.now() + readyWithinMs;
    let lastProbe = 'it was never asked';
    while (Date.now() < deadline) {
      if (this.child !== child) throw await this.startError(`${name} ended while it was starting.`);
      try {
        await probe();
        return;
      } catch (error) {
        lastProbe = error instanceof Error ? error.message : String(error);
        await delay(PROBE_INTERVAL_MS);
      }
    }
    throw await this.startError(`${name} did not answer within ${readyWithinMs / 1000} s (${lastProbe}).`);
  }

  private async startError(message: string): Promise<Error> {
    const { logFile } = this.definition;
    const log = await readFile(logFile, 'utf8').catch(() => '');
    const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    return new Error(`${message} The end of its log, ${logFile}:\n${tail}`);
  }
}

async function exitsWithin(child: ChildProcess, timeoutMs: number): Promise<boolean> {
  const exited = () => child.exitCode !== null || child.signalCode !== null;
  if (exited()) return true;
  // Without a reference the event loop could run dry, and this process end, before the exit is seen.
  child.ref();
  try {
    await once(child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
  } catch {
    return exited();
  } finally {
    child.unref();
  }
  return true;
}
