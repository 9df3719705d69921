import type { OutgoingHttpHeaders } from 'node:http';
import { type Ended, GatewayProcess, type Variables } from '../../dev/services/gateway-process.js';
import { type Answer, ask } from './http-client.js';
import type { JsonObject } from './json.js';
import { faultsOfOutput, parseLines } from './log-lines.js';
import { BATCH_PATH, SEND_PATH } from './paths.js';
import { type WaitOptions, waitFor } from './wait-for.js';

/** How many of a gateway's last log lines an error shows. */
const LAST_LINES = 20;

/** A send request. A header whose value is undefined is left out. */
export interface SendQuestion {
  readonly apiKey?: string;
  readonly idempotencyKey?: string;
  /** Sent as it is where it is a string or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: OutgoingHttpHeaders;
}

/** A running gateway: the built entry point, asked over HTTP, watched by its log. */
export class Gateway {
  readonly process: GatewayProcess;
  readonly port: number;

  private constructor(process: GatewayProcess, port: number) {
    this.process = process;
    this.port = port;
  }

  /**
   * Starts a gateway on a free port.
   *
   * @param untilReady wait until `/readyz` says 200; false = only until it listens
   * @param cwd its working directory
   * @throws Error with its output when it does not start
   */
  static async start(variables: Variables, { untilReady = true } = {}, cwd?: string): Promise<Gateway> {
    const child = await GatewayProcess.start(
      { SERVER_A_HOST: '127.0.0.1', SERVER_A_PORT: '0', ...variables },
      cwd === undefined ? {} : { cwd },
    );
    const started = await waitFor(
      'a gateway that has started',
      () => {
        if (!child.running) return { port: undefined };
        return parseLines(child.stdout).find((line) => line['message'] === 'gateway.started');
      },
      { withinMs: 30_000 },
    );
    const { port } = started;
    if (typeof port !== 'number')
      throw new Error(`the gateway has not started: ${child.stdout}${child.stderr}`);
    const gateway = new Gateway(child, port);
    if (untilReady) await gateway.untilReady();
    return gateway;
  }

  /** Asks for a path. */
  ask(path: string, method = 'GET', headers: OutgoingHttpHeaders = {}): Promise<Answer> {
    return ask({ port: this.port, path, method, headers });
  }

  /** Sends an SMS request. */
  send(question: SendQuestion): Promise<Answer> {
    return this.#post(SEND_PATH, question);
  }

  /** Sends a batch. @param question.body whole, with its `messages` */
  sendBatch(question: SendQuestion): Promise<Answer> {
    return this.#post(BATCH_PATH, question);
  }

  #post(path: string, { apiKey, idempotencyKey, body, headers = {} }: SendQuestion): Promise<Answer> {
    const sent: OutgoingHttpHeaders = {
      'Content-Type': 'application/json',
      ...(apiKey !== undefined && { 'API-Key': apiKey }),
      ...(idempotencyKey !== undefined && { 'Idempotency-Key': idempotencyKey }),
      ...headers,
    };
    const present = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined));
    const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return ask({ port: this.port, path, method: 'POST', headers: present, body: bytes });
  }

  /** Waits until `/readyz` says 200. */
  async untilReady(options: WaitOptions = { withinMs: 60_000 }): Promise<void> {
    await this.#seen(
      'a gateway that is ready',
      async () => (await this.ask('/readyz')).status === 200,
      options,
    );
  }

  /** The log so far. */
  get log(): JsonObject[] {
    return parseLines(this.process.stdout);
  }

  /** Waits for a log line with this message, of which the rest is as wanted, and returns it. */
  async line(message: string, wanted: (line: JsonObject) => boolean = () => true): Promise<JsonObject> {
    return this.#seen(`a log line ${message}`, () =>
      this.log.find((line) => line['message'] === message && wanted(line)),
    );
  }

  /** Waits for something; the gateway's last log lines say why it did not come. */
  async #seen<T>(...[what, look, options]: Parameters<typeof waitFor<T>>): Promise<T> {
    try {
      return await waitFor(what, look, options);
    } catch (error) {
      const lines = this.process.stdout.trimEnd().split('\n').slice(-LAST_LINES);
      throw new Error([`${what}: not seen. The gateway's last lines:`, ...lines].join('\n'), {
        cause: error,
      });
    }
  }

  /** Waits for the log line of the request with this tracking id. */
  lineOf(trackingId: unknown): Promise<JsonObject> {
    return this.line('request', (line) => line['tracking_id'] === trackingId);
  }

  /** Asks it to end, and tells how it did. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    return this.process.stop(signal);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  /** Returns what is wrong with everything it has written; see {@link faultsOfOutput}. */
  faultsOfOutput(secrets: readonly string[]): string[] {
    return faultsOfOutput(this.process.stdout, this.process.stderr, secrets);
  }
}
