/** The gateway as the fuzzer sees it: its answers in metrics and log, its memory, its descriptors, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { armDeadMansSwitch } from '../../dev/services/dead-mans-switch.js';
import { findFreePort } from '../../dev/services/free-port.js';
import { parseObject } from '../support/json.js';

const ENTRY_POINT = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Events of the log that stand for one answer each. */
const LINES_OF_ANSWERS = new Set<unknown>(['request', 'batch', 'connection.refused']);

/** Path that no input asks for. */
const SCRAPED = '/metrics';
/** Milliseconds for log and metrics to say the same. */
const AGREE_WITHIN_MS = 15_000;

/** How many answers the gateway says that it has given. */
export interface Told {
  /** By its metrics. */
  readonly counted: number;
  /** By its log, one line an answer. */
  readonly logged: number;
}

/** A gateway of which nothing is kept but counts. */
export class GatewayUnderFuzz {
  readonly port: number;
  /** Lines at `error` and above, and everything on stderr. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #logged = 0;

  private constructor(child: ChildProcess, port: number) {
    this.port = port;
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    child.stderr?.on('data', (chunk: Buffer) => this.complaints.push(chunk.toString()));
    if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => this.#take(line));
  }

  /** Starts one and waits until it is ready. */
  static async start(variables: Readonly<Record<string, string>>): Promise<GatewayUnderFuzz> {
    const port = await findFreePort();
    const child = spawn(process.execPath, [ENTRY_POINT], {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_ENV: 'production',
        ...variables,
        SERVER_A_HOST: '127.0.0.1',
        SERVER_A_PORT: String(port),
        // Requests of the operators' routes are logged at this level.
        LOG_LEVEL: 'debug',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const gateway = new GatewayUnderFuzz(child, port);
    await armDeadMansSwitch('kill -s KILL "$1"', [`${child.pid}`]);
    for (let i = 0; i < 300; i += 1) {
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      if (ready?.ok === true) return gateway;
      await delay(100);
    }
    throw new Error(`the gateway is not ready: ${gateway.complaints.join('')}`);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * What it says of its answers so far, the scrapes for this not among them. Its log is written some time after its metrics
   * are counted: so it is asked until both say the same, or for so long that they never will.
   */
  async told(): Promise<Told> {
    const deadline = performance.now() + AGREE_WITHIN_MS;
    for (;;) {
      const counted = await this.#counted();
      const logged = this.#logged;
      if (counted === logged || performance.now() > deadline) return { counted, logged };
      await delay(100);
    }
  }

  async #counted(): Promise<number> {
    const page = await (
      await fetch(`http://127.0.0.1:${this.port}${SCRAPED}`, { headers: { connection: 'close' } })
    ).text();
    let counted = 0;
    for (const [, labels, value] of page.matchAll(
      /^(?:sms_send_requests_total|sms_other_requests_total|sms_http_refusals_total)\{(.*)\} (\d+)$/gm,
    )) {
      if (!/status="none"|outcome="aborted"/.test(labels ?? '')) counted += Number(value);
    }
    // The items of a batch are counted like single requests, and their answer is one.
    const sum = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1]);
    counted += sum('sms_batch_items_count') - sum('sms_batch_items_sum');
    // A scrape is counted when its page is made.
    this.#scrapes += 1;
    return counted - this.#scrapes + 1;
  }

  #scrapes = 0;

  /** Resident memory, bytes. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
  }

  /** Open descriptors. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length;
  }

  /** Ends it, and returns its exit code. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.#ended;
  }

  #take(line: string): void {
    const { message, status, level, path } = parseObject(line);
    if (status !== undefined && path !== SCRAPED && LINES_OF_ANSWERS.has(message)) this.#logged += 1;
    if (level === 'error' || level === 'fatal') this.complaints.push(line);
  }
}
