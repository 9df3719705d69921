/** The connection to Redis: how it is made, kept, watched and ended. */
import { Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { TlsFiles } from '../config/tls.js';
import { asksForTls } from '../config/urls.js';
import { KnownProblems } from '../known-problems.js';
import type { Log } from '../logging.js';
import { ReplyDeadlines, type Wait } from '../reply-deadlines.js';
import { WriteCoalescer } from '../write-coalescer.js';
import { connectorWith } from './connector.js';
import { RedisClock } from './redis-clock.js';
import { defineScripts } from './scripts.js';
import { RedisUnavailable } from './unavailable.js';

/** Milliseconds between attempts to reconnect, at the most: back within a second of the server's return. */
const MAX_RETRY_DELAY_MS = 1000;
/** Milliseconds for a TCP (and TLS) connection to come up; a black-holed address is tried anew after this. */
const CONNECT_TIMEOUT_MS = 2000;
/**
 * Milliseconds of silence, with commands unanswered, after which the connection is given up and made anew. Longer than
 * a slow answer; shorter than the pauses of TCP's own retransmissions after a cut, which reach half a minute.
 */
const SILENCE_LIMIT_MS = 2500;

/**
 * A client's handshake is over before the server has looked at its certificate. If the server does not want it, our
 * first command mostly meets a closed connection, and the server's reason is lost.
 */
const CERTIFICATE_HINT = 'the server may want a client certificate that it knows: REDIS_TLS_CERT_FILE';

/** A connection whose every call ends in time. */
export class RedisLink {
  readonly redis: Redis;
  /** Estimates Redis's clock, for calls that must not take effect late. */
  readonly clock: RedisClock;
  readonly #timeoutMs: number;
  readonly #deadlines: ReplyDeadlines;
  #coalescer: WriteCoalescer | undefined;
  /** A call timed out and nothing was heard since: further calls would only queue up behind it. */
  #silent = false;
  #closing = false;

  /** @param timeoutMs milliseconds that a call waits for its reply */
  constructor(url: string, tls: TlsFiles, timeoutMs: number, log: Log) {
    this.#timeoutMs = timeoutMs;
    this.#deadlines = new ReplyDeadlines(timeoutMs);
    this.redis = new Redis(url, {
      ...options(url, tls),
      Connector: connectorWith((socket) => this.#adopt(socket)),
    });
    defineScripts(this.redis);
    this.clock = new RedisClock(this);
    const problems = new KnownProblems();
    let connected = false;
    this.redis.on('error', (err: Error) => {
      // ioredis would go on in database 0, with the records and counters of somebody else.
      if (isRefusedDatabase(err)) this.redis.disconnect(true);
      if (!problems.isNew(err)) return;
      const hint = !connected && asksForTls(url) && isReset(err) ? CERTIFICATE_HINT : undefined;
      log.error({ err, ...(hint !== undefined && { hint }) }, 'redis.error');
    });
    this.redis.on('ready', () => {
      problems.forget();
      connected = true;
      this.#silent = false;
      log.info('redis.ready');
      void this.clock.synchronise();
    });
    this.redis.on('close', () => {
      // Failed attempts to reconnect close too, and so do we.
      if (connected && !this.#closing) log.warn('redis.closed');
      connected = false;
    });
  }

  /** Has a function called whenever a connection has come up. */
  onReady(listener: () => void): void {
    this.redis.on('ready', listener);
  }

  /** True while calls can be made with a hope of an answer. */
  get usable(): boolean {
    return this.redis.status === 'ready' && !this.#silent;
  }

  /** Milliseconds that a call waits at the most. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /**
   * Runs one command and waits for its reply at most the limit.
   *
   * @param send sends the command
   * @param read turns the reply into what is resolved, or into a promise of it
   * @param onLate is given the reply if it comes after the limit: what took effect may have to be undone
   * @throws {RedisUnavailable} when there is no reply in time; and what Redis itself answers as an error
   */
  call<Reply, T>(
    send: () => Promise<Reply>,
    read: (reply: Reply) => T | Promise<T>,
    onLate?: (reply: Reply) => void,
  ): Promise<T> {
    if (!this.usable) return Promise.reject(new RedisUnavailable('Redis is not connected', false));
    this.#coalescer?.hold();
    return new Promise<T>((resolve, reject) => {
      let expired = false;
      const wait: Wait = {
        expire: () => {
          expired = true;
          this.#silent = true;
          reject(new RedisUnavailable('Redis did not answer in time', true));
        },
      };
      this.#deadlines.begin(wait);
      send().then(
        (reply) => {
          this.#silent = false;
          if (expired) {
            onLate?.(reply);
            return;
          }
          this.#deadlines.end(wait);
          try {
            resolve(read(reply));
          } catch (error) {
            reject(error);
          }
        },
        (error: unknown) => {
          this.#deadlines.end(wait);
          // What Redis answered passes through; what ioredis says means that the connection ended first.
          reject(
            error instanceof ReplyError
              ? error
              : new RedisUnavailable('the connection to Redis ended', true, error),
          );
        },
      );
    });
  }

  /** Asks Redis whether it is there. @throws {RedisUnavailable} */
  async ping(): Promise<void> {
    // Asked even while silent: the answer to this is how we hear that it is back.
    if (this.redis.status !== 'ready') throw new RedisUnavailable('not connected', false);
    const answered = await Promise.race([this.redis.ping(), afterMs(this.#timeoutMs)]);
    if (answered === undefined) throw new RedisUnavailable('no answer', true);
    this.#silent = false;
  }

  /** Ends the connection once what is under way is answered, or at once where Redis is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    try {
      if (this.usable) await Promise.race([this.redis.quit(), afterMs(this.#timeoutMs)]);
    } finally {
      this.redis.disconnect();
    }
  }

  #adopt(socket: ConstructorParameters<typeof WriteCoalescer>[0]): void {
    this.#coalescer = new WriteCoalescer(socket);
  }
}

/** True for Redis's refusal of the database that the URL names: there are fewer, or the user may not choose. */
function isRefusedDatabase(err: Error): boolean {
  const { command } = 'command' in err ? err : { command: undefined };
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select';
}

function isReset(err: Error): boolean {
  return 'code' in err && (err.code === 'ECONNRESET' || err.code === 'EPIPE');
}

function afterMs(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, undefined).unref();
  });
}

function options(url: string, tls: TlsFiles): RedisOptions {
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_LIMIT_MS,
    keepAlive: 5000,
    // A script that was sent and not answered may have run: sent again, it could charge twice.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A request must not wait for a connection: it is refused at once.
    enableOfflineQueue: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_DELAY_MS),
    ...(asksForTls(url) && { tls: { ...tls } }),
  };
}
