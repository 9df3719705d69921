import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { armDeadMansSwitch } from '../../dev/services/dead-mans-switch.js';

const ENTRY_POINT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Variables of the gateway's environment; nothing else of ours reaches it. */
export type Variables = Readonly<Record<string, string>>;

/** The built entry point as a process, with everything that it has written. */
export class GatewayProcess {
  readonly pid: number;
  /** Resolves when it has ended and all its output is here. */
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;

  private constructor(child: ChildProcessByStdio<null, Readable, Readable>, pid: number) {
    this.#child = child;
    this.pid = pid;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /**
   * Starts `node server-a/dist/main.js`.
   *
   * @param cwd its working directory; it reads a `.env` there unless NODE_ENV is production, which is the default here
   * @param options of its command line
   * @throws Error when it has not been built
   */
  static async start(
    variables: Variables,
    cwd = tmpdir(),
    options: readonly string[] = [],
  ): Promise<GatewayProcess> {
    if (!existsSync(ENTRY_POINT)) throw new Error(`${ENTRY_POINT} is not there: run npm run build first`);
    const env = { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...variables };
    const child = spawn(process.execPath, [ENTRY_POINT, ...options], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid === undefined) throw new Error('the gateway cannot be started');
    const started = new GatewayProcess(child, pid);
    const deadMansSwitch = await armDeadMansSwitch('kill -s KILL "$1"', [String(pid)]);
    void started.ended.then(() => deadMansSwitch.disarm());
    return started;
  }

  /** Everything on stdout so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Everything on stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Closes our end of its stdout, as a log collector that has died. */
  closeStdout(): void {
    this.#child.stdout.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
