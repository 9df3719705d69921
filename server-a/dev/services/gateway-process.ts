/** The gateway as a process: for the tests, the fault experiments, the benchmark and `make run` alike. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { armDeadMansSwitch } from './dead-mans-switch.js';

/** Options of Node.js, as the image and `npm start` have it; a test compares them. */
export const NODE_OPTIONS = ['--v8-pool-size=1'] as const;

/** The built gateway. */
const ENTRY_POINT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Variables of a gateway's environment; beside them it gets PATH, and NODE_ENV=production unless they say otherwise. */
export type Variables = Readonly<Record<string, string>>;

/** What makes a process differ from `node server-a/dist/main.js` in the system's temporary folder. */
export interface GatewayProcessOptions {
  /** Its working directory, where it reads a `.env` unless NODE_ENV is production. */
  readonly cwd?: string;
  /** Options of its command line. */
  readonly args?: readonly string[];
  /** Options of node itself. */
  readonly nodeArgs?: readonly string[];
  /** Path of another program to run in its place. */
  readonly entryPoint?: string;
  /**
   * What becomes of its output. `keep` (default): all of it, in {@link GatewayProcess.stdout} and `stderr`; a function: is
   * given it piece by piece; `discard`: stdout is read and thrown away, stderr is this process's; `inherit`: both are.
   */
  readonly output?: 'keep' | 'discard' | 'inherit' | ((text: string) => void);
  /** Open a channel for {@link GatewayProcess.ask}. */
  readonly channel?: boolean;
  /** Cores that it may run on, as `taskset` names them. */
  readonly cores?: string;
  /** The program that runs it; default: the Node.js that runs us. */
  readonly node?: string;
  /** Give it a process group of its own, which Ctrl-C in this terminal does not reach. */
  readonly ownGroup?: boolean;
  /** Signal that it gets if this process dies; default SIGKILL. */
  readonly onOurDeath?: 'SIGTERM' | 'SIGKILL';
}

/** One run of the gateway. */
export class GatewayProcess {
  readonly pid: number;
  /** Resolves when it has ended and all its output is here. */
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number, output: GatewayProcessOptions['output']) {
    this.#child = child;
    this.pid = pid;
    const take = typeof output === 'function' ? output : undefined;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (take !== undefined) take(text);
      else if (output === 'keep') this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (take !== undefined) take(text);
      else this.#stderr += text;
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Starts one; does not wait until it serves. @throws Error when the gateway has not been built, or node cannot run */
  static async start(variables: Variables, options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const { entryPoint = ENTRY_POINT, output = 'keep', onOurDeath = 'SIGKILL' } = options;
    if (!existsSync(entryPoint)) throw new Error(`${entryPoint} is not there: run npm run build first`);
    const stderr = typeof output === 'function' || output === 'keep' ? 'pipe' : 'inherit';
    const stdio: StdioOptions = ['ignore', output === 'inherit' ? 'inherit' : 'pipe', stderr];
    if (options.channel === true) stdio.push('ipc');
    // taskset becomes the program that it starts, so the process is the same.
    const pinned = options.cores === undefined ? [] : ['taskset', '--cpu-list', options.cores];
    const node = options.node ?? process.execPath;
    const [command = node, ...args] = [
      ...[
        ...pinned,
        node,
        ...(options.entryPoint === undefined ? NODE_OPTIONS : []),
        ...(options.nodeArgs ?? []),
      ],
      ...[entryPoint, ...(options.args ?? [])],
    ];
    const child = spawn(command, args, {
      cwd: options.cwd ?? tmpdir(),
      env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...variables },
      stdio,
      detached: options.ownGroup === true,
    });
    const { pid } = child;
    if (pid === undefined) {
      const [error] = await once(child, 'error');
      throw new Error(`the gateway cannot be started: ${error}`);
    }
    const started = new GatewayProcess(child, pid, output);
    const deadMansSwitch = await armDeadMansSwitch(`kill -s ${onOurDeath.slice(3)} "$1"`, [String(pid)]);
    void started.ended.then(() => deadMansSwitch.disarm());
    return started;
  }

  /** Everything on stdout so far, if it is kept. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Everything on stderr so far, if it is kept. */
  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Closes our end of its stdout, as a log collector that has died. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end, or ends it, and tells how it did. @param patienceMs milliseconds after which it is killed */
  async stop(
    signal: NodeJS.Signals = 'SIGTERM',
    patienceMs: number = Number.POSITIVE_INFINITY,
  ): Promise<Ended> {
    this.signal(signal);
    const force = Number.isFinite(patienceMs)
      ? setTimeout(() => this.signal('SIGKILL'), patienceMs)
      : undefined;
    const ended = await this.ended;
    clearTimeout(force);
    return ended;
  }

  /** Sends a message over the channel and returns the next one that comes back. */
  async ask(message: string): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(message);
    return (await answer)[0];
  }

  /** Resident memory, bytes; 0 when it does not run. */
  residentBytes(): number {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(this.#proc('status'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  }

  #proc(file: 'status'): string {
    return this.running ? readFileSync(`/proc/${this.pid}/${file}`, 'utf8') : '';
  }
}
