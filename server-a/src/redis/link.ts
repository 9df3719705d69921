/** A connection to Redis whose every call ends in time, whatever became of the connection. */
import { ReplyError } from 'ioredis';
import { ReplyDeadlines, Wait } from '../connection/reply-deadlines.js';
import type { RedisClient } from './client.js';
import { RedisClock } from './clock.js';
import { READINESS_KEY, READINESS_TTL_MS } from './keys.js';
import { inPlainWords } from './plain-words.js';
import type { RedisService, Route, WhenLate } from './routes.js';
import { RedisUnavailable } from './unavailable.js';

/** A call that waits for its reply. */
class Call<T> extends Wait {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
  readonly #fallSilent: (() => void) | undefined;
  readonly #whenLate: WhenLate<T> | undefined;

  /** @param fallSilent is called when the wait expires, where that says something about Redis */
  constructor(
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    fallSilent: (() => void) | undefined,
    whenLate: WhenLate<T> | undefined,
  ) {
    super();
    this.resolve = resolve;
    this.reject = reject;
    this.#fallSilent = fallSilent;
    this.#whenLate = whenLate;
  }

  override expire(): void {
    this.#fallSilent?.();
    const { reject } = this;
    if (this.#whenLate !== undefined) {
      const late = new Promise<T>((resolveLate, rejectLate) => {
        this.resolve = resolveLate;
        this.reject = rejectLate;
      });
      // Whoever is told may have no use for it.
      late.catch(() => {});
      this.#whenLate(late);
    }
    reject(new RedisUnavailable('Redis did not answer in time', true));
  }
}

/** A connection whose every call ends in time. */
export class RedisLink implements RedisService {
  readonly client: RedisClient;
  /** Estimates Redis's clock, for calls that must not take effect late. */
  readonly clock: RedisClock;
  readonly timeoutMs: number;
  readonly #holdWrites: () => void;
  readonly #translate: (error: Error) => Error;
  readonly #route: Route = { link: this, asking: false };
  readonly #deadlines: ReplyDeadlines;
  /** A call timed out and nothing was heard since: further calls would only queue up behind it. */
  #silent = false;
  #closing = false;

  /**
   * @param timeoutMs milliseconds that a call waits for its reply, unless it is told to wait less
   * @param holdWrites is called before each command: lets the commands of one turn leave in one write
   * @param translate turns what Redis answers as an error into what is thrown
   */
  constructor(
    client: RedisClient,
    timeoutMs: number,
    holdWrites: () => void = () => {},
    translate: (error: Error) => Error = (error) => error,
  ) {
    this.client = client;
    this.timeoutMs = timeoutMs;
    this.#holdWrites = holdWrites;
    this.#translate = translate;
    this.#deadlines = new ReplyDeadlines(timeoutMs);
    this.clock = new RedisClock(() =>
      this.call(
        (client) => client.time(),
        ([seconds, microseconds]) => Number(seconds) * 1000 + Number(microseconds) / 1000,
      ),
    );
    client.on('ready', () => {
      this.#silent = false;
      this.clock.forget();
      void this.clock.synchronise();
    });
  }

  /** True while a call has a chance of an answer. */
  get usable(): boolean {
    return this.client.status === 'ready' && !this.#silent;
  }

  /**
   * Runs one command and waits for its reply at most the limit.
   *
   * @param send sends the command
   * @param read turns the reply into what is resolved
   * @param limitMs milliseconds to wait, if less than the usual limit
   * @param whenLate is told when the limit has passed, and given what the call still comes to
   * @throws {RedisUnavailable} when there is no reply in time; and what Redis itself answers as an error
   */
  call<Reply, T>(
    send: (client: RedisClient) => Promise<Reply>,
    read: (reply: Reply) => T,
    limitMs?: number,
    whenLate?: WhenLate<T>,
  ): Promise<T> {
    if (!this.usable) return Promise.reject(new RedisUnavailable('Redis is not connected', false));
    this.#holdWrites();
    return new Promise<T>((resolve, reject) => {
      // That a call with little time left got no answer says nothing about Redis.
      const saysMuch = limitMs === undefined || limitMs >= this.timeoutMs;
      const wait = new Call(resolve, reject, saysMuch ? this.#fallSilent : undefined, whenLate);
      this.#deadlines.begin(wait, limitMs);
      send(this.client).then(
        (reply) => {
          this.#silent = false;
          this.#deadlines.end(wait);
          try {
            wait.resolve(read(reply));
          } catch (error) {
            wait.reject(error);
          }
        },
        (error: unknown) => {
          this.#deadlines.end(wait);
          // An error that Redis answered passes through. An error of ioredis means that the connection ended first.
          if (error instanceof ReplyError && error instanceof Error) {
            this.#silent = false;
            wait.reject(this.#translate(error));
          } else
            wait.reject(new RedisUnavailable('the connection to Redis ended', true, inPlainWords(error)));
        },
      );
    });
  }

  /**
   * Refuses calls until Redis is heard again. One question is sent for that, behind the unanswered calls. Its answer, also
   * an error, says that Redis is back. Without an answer the silence watch ends the connection, and ioredis makes a new one.
   */
  readonly #fallSilent = (): void => {
    if (this.#silent) return;
    this.#silent = true;
    const heard = (): void => {
      this.#silent = false;
    };
    this.client.time().then(heard, (error: unknown) => {
      if (error instanceof ReplyError) heard();
    });
  };

  /** Returns the way to any key: all live here. */
  routeOf(_key: string): Route {
    return this.#route;
  }

  /** Reads counters. @throws {RedisUnavailable} */
  mget(keys: readonly string[]): Promise<(string | null)[]> {
    return this.call(
      (client) => client.mget([...keys]),
      (values) => values,
    );
  }

  /** Has a function called whenever a connection has come up. */
  onReady(listener: () => void): void {
    this.client.on('ready', listener);
  }

  /**
   * Asks Redis to write something. A PING would prove too little: a replica, or a Redis that is out of memory or cannot
   * save, answers a PING and takes no record.
   *
   * @param key a key of its own; of a cluster's node, one that lives there
   * @throws {RedisUnavailable}
   */
  async checkWrite(key = READINESS_KEY): Promise<void> {
    // Asked even while silent: the answer to this is how we hear that Redis is back.
    if (this.client.status !== 'ready') throw new RedisUnavailable('not connected', false);
    const write = this.client.set(key, '1', 'PX', READINESS_TTL_MS).catch((error: unknown) => {
      // A refusal is an answer, and may say where the master is by now.
      if (!(error instanceof ReplyError && error instanceof Error)) throw error;
      this.#translate(error);
      return 'refused';
    });
    const answer = await Promise.race([write, afterMs(this.timeoutMs)]);
    if (answer === undefined) throw new RedisUnavailable('no answer', true);
    this.#silent = false;
    if (answer !== 'OK') throw new RedisUnavailable('refuses writes', false);
    if (!this.clock.known) await this.clock.synchronise();
    if (!this.clock.known) throw new RedisUnavailable('no answer', true);
  }

  /** True once {@link RedisLink.close} was called. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Ends the connection once what is under way is answered, or at once where Redis is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    // A connection that ends before its goodbye has ended all the same.
    const goodbye = this.usable ? this.client.quit().catch(() => undefined) : Promise.resolve();
    await Promise.race([goodbye, afterMs(this.timeoutMs)]);
    this.client.disconnect();
  }
}

function afterMs(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, undefined).unref();
  });
}
