import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

/** What the senders of one kind saw. */
export interface Ledger {
  /** Messages begun, each with one key (keyed) or one attempt (unkeyed). */
  messages: number;
  attempts: number;
  /** Tracking ids that a 202 named, by message. */
  readonly accepted: Map<string, Set<string>>;
  /** Tracking ids that any answer named, by message: a key must only ever have one. */
  readonly ids: Map<string, Set<string>>;
  /** Messages that were refused for good. */
  refused: number;
  /** Answers that said that the outcome is unknown, and attempts that got no answer at all. */
  unknown: number;
  unanswered: number;
  slowestMs: number;
  readonly statuses: Map<number, number>;
}

/** Senders to run. */
export interface SenderOptions {
  readonly apiKey: string;
  /** Ports of the gateways; every attempt goes to the next one. */
  readonly ports: () => readonly number[];
  readonly senders: number;
  /** Milliseconds that a sender rests between two messages. */
  readonly restMs: number;
  readonly keyed: boolean;
}

const ATTEMPT_LIMIT_MS = 15_000;
const RETRY_PAUSE_MS = 100;

/** Senders that go on until they are stopped; keyed ones retry with the same key until they have a decision. */
export class Senders {
  readonly ledger: Ledger = {
    messages: 0,
    attempts: 0,
    accepted: new Map(),
    ids: new Map(),
    refused: 0,
    unknown: 0,
    unanswered: 0,
    slowestMs: 0,
    statuses: new Map(),
  };
  readonly #options: SenderOptions;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #running: Promise<void>[];
  #stopped = false;
  #paused: Promise<void> | undefined;
  #idle = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.senders }, () => this.#run());
  }

  /** Stops new messages and waits until every message that was begun has its decision. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  /** Runs something while no request is under way. */
  async whileQuiet(work: () => Promise<void>): Promise<void> {
    let resume = (): void => {};
    this.#paused = new Promise((resolve) => {
      resume = resolve;
    });
    while (this.#idle < this.#options.senders) await pause(10);
    try {
      await work();
    } finally {
      this.#paused = undefined;
      resume();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#paused !== undefined) {
        this.#idle += 1;
        await this.#paused;
        this.#idle -= 1;
      }
      await this.#deliver(randomUUID());
      await pause(this.#options.restMs * (0.5 + Math.random()));
    }
  }

  async #deliver(message: string): Promise<void> {
    this.ledger.messages += 1;
    for (;;) {
      const decided = await this.#attempt(message);
      if (decided || !this.#options.keyed) return;
      await pause(RETRY_PAUSE_MS);
    }
  }

  async #attempt(message: string): Promise<boolean> {
    const { ledger } = this;
    const ports = this.#options.ports();
    const port = ports[ledger.attempts % ports.length] ?? 0;
    ledger.attempts += 1;
    const startedAt = performance.now();
    const answer = await this.#post(port, message).catch(() => undefined);
    if (answer === undefined) {
      ledger.unanswered += 1;
      return false;
    }
    ledger.slowestMs = Math.max(ledger.slowestMs, performance.now() - startedAt);
    ledger.statuses.set(answer.status, (ledger.statuses.get(answer.status) ?? 0) + 1);
    const body: unknown = JSON.parse(answer.body);
    const id = field(body, 'tracking_id');
    if (typeof id === 'string') add(ledger.ids, message, id);
    if (answer.status === 202) {
      add(ledger.accepted, message, String(id));
      return true;
    }
    if (answer.status === 500) {
      if (field(field(body, 'details'), 'accepted') === 'unknown') ledger.unknown += 1;
      return false;
    }
    ledger.refused += 1;
    return true;
  }

  #post(port: number, message: string): Promise<{ status: number; body: string }> {
    const payload = JSON.stringify({ to: '+989121234567', text: message });
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: '/api/v1/sms/send',
          timeout: ATTEMPT_LIMIT_MS,
          headers: {
            'API-Key': this.#options.apiKey,
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(payload),
            ...(this.#options.keyed && { 'Idempotency-Key': message }),
          },
        },
        (incoming) => {
          let body = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            body += chunk;
          });
          incoming.on('error', reject);
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
