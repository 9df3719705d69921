import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../dev/services/free-port.js';

const ENTRY_POINT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Changes nothing where CLOCK_AHEAD_MS is 0. */
const CLOCK_AHEAD = new URL('clock-ahead.mjs', import.meta.url).href;

/** A gateway as a process of its own, started from the build, that can be killed and started again on its port. */
export class GatewayProcess {
  readonly #env: Readonly<Record<string, string>>;
  readonly port: number;
  /** Lines of its log that tell of a fault nobody foresaw. */
  readonly unforeseen: string[] = [];
  #child: ChildProcess | undefined;

  private constructor(env: Readonly<Record<string, string>>, port: number) {
    this.#env = env;
    this.port = port;
  }

  /** Starts one on a free port of 127.0.0.1 and waits until it is ready. */
  static async start(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(env, await findFreePort());
    gateway.spawn();
    await gateway.untilReady(15_000);
    return gateway;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the process (again); does not wait. */
  spawn(): void {
    const child = spawn(process.execPath, [`--import=${CLOCK_AHEAD}`, ENTRY_POINT], {
      env: {
        PATH: process.env['PATH'] ?? '',
        CLOCK_AHEAD_MS: '0',
        ...this.#env,
        SERVER_A_HOST: '127.0.0.1',
        SERVER_A_PORT: String(this.port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const watch = (chunk: Buffer): void => {
      const text = chunk.toString();
      if (text.includes('process.unforeseen') || /MaxListenersExceeded|Unhandled/.test(text))
        this.unforeseen.push(text);
    };
    child.stdout.on('data', watch);
    child.stderr.on('data', watch);
    this.#child = child;
  }

  /** Sends a signal; with an end awaited. @returns exit code, or the signal that ended it */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string> {
    const child = this.#child;
    if (child === undefined || !this.running) return 0;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode ?? child.signalCode ?? 'unknown';
  }

  /** Stops it from running without ending it, and lets it go on: what a stalled event loop looks like. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Asks a path; the status, or 0 when there was no answer within the limit. */
  async status(path: string, limitMs = 3000): Promise<number> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
        signal: AbortSignal.timeout(limitMs),
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  }

  /** Waits for /readyz 200. @returns milliseconds that it took @throws when it takes longer than the limit */
  async untilReady(limitMs: number): Promise<number> {
    const startedAt = performance.now();
    while ((await this.status('/readyz')) !== 200) {
      if (performance.now() - startedAt > limitMs)
        throw new Error(`the gateway was not ready within ${limitMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return performance.now() - startedAt;
  }

  /** Resident memory in bytes; 0 when it does not run. */
  residentBytes(): number {
    if (this.pid === undefined || !this.running) return 0;
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  }
}
