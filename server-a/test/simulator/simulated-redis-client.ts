/** The simulated Redis as the gateway's code sees it: the behaviour of ioredis, as `connect.ts` sets it up. */
import { ReplyError } from 'ioredis';
import type { RedisClient } from '../../src/redis/client.js';
import type { ScriptArguments } from '../../src/redis/script-files.js';
import { endWhenSilent, type WatchedClient } from '../../src/redis/silence-watch.js';
import { Choices } from './choices.js';
import type { FailurePoint } from './injected-failures.js';
import type { RedisValue } from './lua-machine.js';
import type { Process } from './process.js';
import { type CommandFailure, type PendingCommand, RedisConnection } from './redis-connection.js';
import type { SimulatedRedis } from './simulated-redis.js';

/** Milliseconds that a connection attempt to a server that is down takes to fail. */
const REFUSED_AFTER_MS = 1;
const DELAYS = [30, 200, 450, 520, 800, 1500, 2600, 4500, 9000];

/** What a client is made of. */
export interface SimulatedRedisClientOptions {
  readonly server: SimulatedRedis;
  readonly process: Process;
  readonly seed: number;
  /** Asked at each command. */
  readonly failurePoint: FailurePoint;
  /** Failures that this history has. */
  readonly kinds: readonly CommandFailure['kind'][];
  /** Milliseconds, one way. */
  readonly latency: () => number;
  readonly trace: (line: string) => void;
}

type Words = readonly (string | number)[];

/** A client of one process, connected for ever. */
export class SimulatedRedisClient implements RedisClient {
  status = 'connecting';
  readonly #options: SimulatedRedisClientOptions;
  readonly #choices: Choices;
  readonly #listeners: Record<'connect' | 'ready' | 'close', (() => void)[]> = {
    connect: [],
    ready: [],
    close: [],
  };
  readonly #pending = new Set<PendingCommand & { readonly onLost: () => void }>();
  #connection: RedisConnection | undefined;
  /** Bytes that were heard on the connection; here one for each reply. */
  #bytesRead = 0;
  #attempts = 0;
  #ended = false;

  constructor(options: SimulatedRedisClientOptions) {
    this.#options = options;
    this.#choices = new Choices(options.seed, `${options.process.name}/redis`);
    endWhenSilent(this);
    this.#connect();
  }

  readonly on = (event: 'connect' | 'ready' | 'close', listener: () => void): this => {
    this.#listeners[event].push(listener);
    return this;
  };

  readonly time = async (): Promise<string[]> => texts(await this.#run('TIME', []));
  readonly set = (...words: Parameters<RedisClient['set']>): Promise<unknown> => this.#run('SET', words);
  readonly mget = async (keys: string[]): Promise<(string | null)[]> => {
    const reply = await this.#run('MGET', keys);
    return Array.isArray(reply) ? reply.map((value) => (value === null ? null : String(value))) : [];
  };
  readonly admit = (...words: ScriptArguments['admit']): Promise<unknown> => this.#run('admit', words);
  readonly settle = (...words: ScriptArguments['settle']): Promise<unknown> => this.#run('settle', words);
  readonly refuse = (...words: ScriptArguments['refuse']): Promise<unknown> => this.#run('refuse', words);
  readonly quotaConsume = (...words: ScriptArguments['quotaConsume']): Promise<unknown> =>
    this.#run('quotaConsume', words);
  readonly quotaRefund = (...words: ScriptArguments['quotaRefund']): Promise<unknown> =>
    this.#run('quotaRefund', words);
  readonly lookUp = (...words: ScriptArguments['lookUp']): Promise<unknown> => this.#run('lookUp', words);

  async quit(): Promise<unknown> {
    this.#ended = true;
    const goodbye = await this.#run('PING', []);
    this.disconnect();
    return goodbye;
  }

  disconnect(): void {
    this.#ended = true;
    this.#connection?.cut(0);
    this.#closed();
  }

  /** Commands that wait for a reply. */
  get commandQueue(): { readonly length: number } {
    return { length: this.#pending.size };
  }

  /** The connection that there is now, as its socket. */
  get stream(): WatchedClient['stream'] {
    const connection = this.#connection;
    const bytesRead = (): number => this.#bytesRead;
    return {
      get bytesRead() {
        return bytesRead();
      },
      destroy: () => {
        if (connection === undefined || this.#connection !== connection) return;
        connection.cut(0);
        this.#closed();
      },
    };
  }

  #connect(): void {
    const { server, process, latency, trace } = this.#options;
    if (this.#ended) return;
    this.status = 'connecting';
    if (!server.up) {
      process.input(process.localNow + latency() + REFUSED_AFTER_MS, () => this.#closed());
      return;
    }
    const connection = new RedisConnection({
      server,
      process,
      time: process.time,
      choices: this.#choices,
      latency,
      trace,
      onClosed: () => {
        if (this.#connection === connection) this.#closed();
      },
    });
    this.#connection = connection;
    this.#bytesRead = 0;
    for (const listener of this.#listeners.connect) listener();
    // ioredis asks INFO before it is ready, so a server that stands still is not.
    this.#send('PING', [], undefined).then(
      () => {
        if (this.#connection !== connection) return;
        this.#attempts = 0;
        this.status = 'ready';
        for (const listener of this.#listeners.ready) listener();
      },
      () => {},
    );
  }

  /** The connection has ended, or could not be made. */
  #closed(): void {
    this.#connection = undefined;
    this.status = this.#ended ? 'end' : 'reconnecting';
    const lost = [...this.#pending];
    this.#pending.clear();
    for (const { onLost } of lost) onLost();
    for (const listener of this.#listeners.close) listener();
    if (this.#ended) return;
    this.#attempts += 1;
    setTimeout(() => this.#connect(), Math.min(50 * 2 ** Math.min(this.#attempts, 10), 1000));
  }

  #run(command: string, words: Words): Promise<RedisValue> {
    const { process, failurePoint, kinds } = this.#options;
    process.pass('command');
    if (this.status !== 'ready') return Promise.reject(new Error("Stream isn't writeable"));
    const made = kinds.length === 0 ? undefined : failurePoint();
    let failure: CommandFailure | undefined;
    if (made !== undefined) {
      failure = { kind: made.choices.pick(kinds), delay: made.choices.pick(DELAYS) };
      made.injected.what = `${command} of ${process.name} to Redis is ${failure.kind} (${failure.delay} ms)`;
    }
    return this.#send(command, words, failure);
  }

  #send(command: string, words: Words, failure: CommandFailure | undefined): Promise<RedisValue> {
    const { process } = this.#options;
    const connection = this.#connection;
    return new Promise((resolve, reject) => {
      const pending = {
        command,
        words: words.map((word) => Buffer.from(String(word), 'utf8').toString('latin1')),
        onReply: (reply: RedisValue): void => {
          this.#heard(pending);
          resolve(decoded(reply));
        },
        onError: ({ message }: Error): void => {
          this.#heard(pending);
          reject(new ReplyError(message));
        },
        onLost: (): void => reject(new Error('Connection is closed.')),
      };
      this.#pending.add(pending);
      process.output(() => connection?.transmit(pending, failure));
      process.pass('sent');
    });
  }

  #heard(pending: PendingCommand & { readonly onLost: () => void }): void {
    this.#pending.delete(pending);
    this.#bytesRead += 1;
  }
}

function texts(reply: RedisValue): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

/** Bytes become text, and a status its text, as ioredis reads them. */
function decoded(value: RedisValue): RedisValue {
  if (typeof value === 'string') return Buffer.from(value, 'latin1').toString('utf8');
  if (Array.isArray(value)) return value.map(decoded);
  return typeof value === 'object' && value !== null && 'ok' in value ? value.ok : value;
}
