import { findFreePort } from '../../dev/services/free-port.js';
import { GatewayProcess, type Variables } from '../../dev/services/gateway-process.js';
import { askOnce, untilReady } from '../../dev/services/until-ready.js';

/** Changes nothing where CLOCK_AHEAD_MS is 0. */
const CLOCK_AHEAD = new URL('clock-ahead.mjs', import.meta.url).href;

/** Output that tells of a failure nobody foresaw. */
const UNFORESEEN = /process\.unforeseen|MaxListenersExceeded|Unhandled/;

/** A gateway that can be ended in any way and started again on its port. */
export class Gateway {
  readonly port: number;
  /** Pieces of its output that tell of a failure nobody foresaw. */
  readonly unforeseen: string[] = [];
  readonly #variables: Variables;
  #process: GatewayProcess | undefined;

  private constructor(variables: Variables, port: number) {
    this.#variables = variables;
    this.port = port;
  }

  /** Starts one on a free port of 127.0.0.1 and waits until it is ready. */
  static async start(variables: Variables): Promise<Gateway> {
    const gateway = new Gateway(variables, await findFreePort());
    await gateway.restart();
    await gateway.untilReady(15_000);
    return gateway;
  }

  get running(): boolean {
    return this.#process?.running ?? false;
  }

  /** Starts the process (again); does not wait until it is ready. */
  async restart(): Promise<void> {
    this.#process = await GatewayProcess.start(
      {
        CLOCK_AHEAD_MS: '0',
        ...this.#variables,
        SERVER_A_HOST: '127.0.0.1',
        SERVER_A_PORT: String(this.port),
      },
      {
        nodeArgs: [`--import=${CLOCK_AHEAD}`],
        output: (text) => void (UNFORESEEN.test(text) && this.unforeseen.push(text)),
      },
    );
  }

  /** Ends it. @returns exit code, or the signal that ended it */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string> {
    if (this.#process === undefined || !this.running) return 0;
    const ended = await this.#process.stop(signal);
    return ended.code ?? ended.signal ?? 'unknown';
  }

  /** SIGSTOP and SIGCONT: stops it from running and lets it go on, as a stalled event loop does. SIGHUP: has it reload. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGHUP'): void {
    this.#process?.signal(signal);
  }

  /** Asks a path; the status, or 0 when there was no answer within the limit (milliseconds). */
  async status(path: string, limitMs: number): Promise<number> {
    return (await askOnce(`http://127.0.0.1:${this.port}${path}`, limitMs))?.status ?? 0;
  }

  /** Waits for /readyz 200. @returns milliseconds that it took @throws when it takes longer than the limit */
  untilReady(withinMs: number): Promise<number> {
    return untilReady(this, `http://127.0.0.1:${this.port}`, { withinMs });
  }

  /** Resident memory in bytes; 0 when it does not run. */
  residentBytes(): number {
    return this.#process?.residentBytes() ?? 0;
  }
}
