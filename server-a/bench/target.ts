/** A server under measurement: a process, its CPU and its memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { findFreePort } from '../dev/services/free-port.js';

/** Microseconds in a tick of /proc's CPU accounting (USER_HZ is 100 on Linux). */
const TICK_US = 10_000;

/** Memory of a server, bytes. */
export interface Memory {
  readonly rss: number;
  /** Heap in use after a forced collection. */
  readonly heap: number;
}

/** A server that is measured. */
export class Target {
  readonly name: string;
  readonly port: number;
  /** Milliseconds from its start until it answered. */
  readonly startMs: number;
  readonly #child: ChildProcess;

  private constructor(name: string, port: number, child: ChildProcess, startMs: number) {
    this.name = name;
    this.port = port;
    this.#child = child;
    this.startMs = startMs;
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param args arguments of node
   * @param readyPath path that answers 200 when it is ready; undefined = any answer will do
   */
  static async start(
    name: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    readyPath: string | undefined,
  ): Promise<Target> {
    const port = await findFreePort();
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_ENV: 'production',
        ...env,
        SERVER_A_HOST: '127.0.0.1',
        SERVER_A_PORT: String(port),
      },
      // Its log is written as in production, to a pipe that is read and thrown away.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    child.stdout?.resume();
    while (!(await answers(port, readyPath))) {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
      if (performance.now() - startedAt > 30_000) throw new Error(`${name} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return new Target(name, port, child, performance.now() - startedAt);
  }

  /** Microseconds of CPU, user and system, that the process has used so far; by the kernel's own accounting. */
  cpuUs(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  rssBytes(): number {
    return (
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
    );
  }

  /** Forces a collection and asks what is left; the server must run with bench/memory-probe.ts. */
  async memory(): Promise<Memory> {
    const answer = once(this.#child, 'message');
    this.#child.send('memory');
    const [heap] = await answer;
    return { rss: this.rssBytes(), heap: Number(heap) };
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

async function answers(port: number, path: string | undefined): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path ?? '/'}`, {
      signal: AbortSignal.timeout(1000),
    });
    await answer.arrayBuffer();
    return path === undefined || answer.ok;
  } catch {
    return false;
  }
}
