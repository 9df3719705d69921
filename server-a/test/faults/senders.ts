import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { newLedger } from './ledger.js';

/** Senders to run. */
export interface SenderOptions {
  readonly apiKey: string;
  /** Ports of the gateways; every attempt goes to the next one. */
  readonly ports: () => readonly number[];
  readonly senders: number;
  /** Milliseconds that a sender rests between two messages. */
  readonly restMs: number;
  readonly keyed: boolean;
  /** Is told of each 202. */
  readonly onAccepted?: () => void;
}

const ATTEMPT_LIMIT_MS = 15_000;
const RETRY_PAUSE_MS = 100;

/** How often a keyed sender sends its message in a batch, with messages of others that have no decision yet. */
const BATCHED = 0.5;
/** Messages of others in a batch, at the most. */
const MOST_OTHERS = 9;

/**
 * Senders that go on until they are stopped; keyed ones retry with the same key until they have a decision, now alone, now
 * in a batch.
 */
export class Senders {
  readonly ledger = newLedger();
  readonly #options: SenderOptions;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #running: Promise<void>[];
  /** Keyed messages without a decision. */
  readonly #open = new Set<string>();
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
    this.ledger.begun.add(message);
    this.#open.add(message);
    for (;;) {
      const decided = await this.#attempt(message);
      if (decided || !this.#options.keyed) {
        this.#open.delete(message);
        return;
      }
      await pause(RETRY_PAUSE_MS);
    }
  }

  async #attempt(message: string): Promise<boolean> {
    const { ledger } = this;
    const ports = this.#options.ports();
    const port = ports[ledger.attempts % ports.length] ?? 0;
    ledger.attempts += 1;
    const startedAt = performance.now();
    const together = this.#options.keyed && Math.random() < BATCHED ? this.#withOthers(message) : undefined;
    const posted = together === undefined ? this.#postAlone(port, message) : this.#postBatch(port, together);
    const answers = await posted.catch(() => undefined);
    const own = answers?.get(message);
    if (answers === undefined || own === undefined) {
      ledger.unanswered += 1;
      return false;
    }
    ledger.slowestMs = Math.max(ledger.slowestMs, performance.now() - startedAt);
    // Whoever's message was with it hears of it by itself; what was said of it counts all the same.
    for (const [other, { status, body }] of answers) {
      const id = field(body, 'tracking_id');
      if (typeof id === 'string') add(ledger.ids, other, id);
      if (status === 202) add(ledger.accepted, other, String(id));
    }
    ledger.statuses.set(own.status, (ledger.statuses.get(own.status) ?? 0) + 1);
    if (own.status === 202) {
      this.#options.onAccepted?.();
      return true;
    }
    if (own.status === 500) {
      if (field(field(own.body, 'details'), 'accepted') === 'unknown') ledger.unknown += 1;
      return false;
    }
    ledger.refused.add(message);
    return true;
  }

  /** A message, and some others that have no decision, in any order. */
  #withOthers(message: string): readonly string[] {
    const others = [...this.#open].filter((other) => other !== message);
    const from = Math.floor(Math.random() * others.length);
    const together = others.slice(from, from + Math.floor(Math.random() * (MOST_OTHERS + 1)));
    together.splice(Math.floor(Math.random() * (together.length + 1)), 0, message);
    return together;
  }

  /** Sends one message. Resolves to its answer; to none where it was a balancer's own page. */
  async #postAlone(port: number, message: string): Promise<ReadonlyMap<string, Said>> {
    const headers = this.#options.keyed ? { 'Idempotency-Key': message } : {};
    const answer = await this.#post(port, '/api/v1/sms/send', { to: TO, text: message }, headers);
    const body = parsed(answer.body);
    // Such a page says that no gateway has seen the request, or that none has answered.
    return new Map(body === undefined ? [] : [[message, { status: answer.status, body }]]);
  }

  /** Sends messages in one batch. Resolves to the answer of each. */
  async #postBatch(port: number, together: readonly string[]): Promise<ReadonlyMap<string, Said>> {
    const messages = together.map((key) => ({ idempotency_key: key, to: TO, text: key }));
    const { status, body } = await this.#post(port, '/api/v1/sms/send-batch', { messages }, {});
    const results = status === 207 ? field(parsed(body), 'results') : undefined;
    if (!Array.isArray(results)) return new Map();
    return new Map(
      results.map((result: unknown) => [
        String(field(result, 'idempotency_key')),
        { status: Number(field(result, 'status')), body: field(result, 'body') },
      ]),
    );
  }

  #post(
    port: number,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const payload = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port,
          method: 'POST',
          path,
          timeout: ATTEMPT_LIMIT_MS,
          headers: {
            'API-Key': this.#options.apiKey,
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(payload),
            ...headers,
          },
        },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            text += chunk;
          });
          incoming.on('error', reject);
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: text }));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
  }
}

/** An answer to one message. */
interface Said {
  readonly status: number;
  readonly body: unknown;
}

const TO = '+989121234567';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
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
