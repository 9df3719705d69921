/** The connection to the master that sentinels name, followed through failovers. */

import { Redis } from 'ioredis';
import { addressesOf, asksForTls, DEFAULT_PORTS } from '../config/urls.js';
import { KnownProblems } from '../connection/known-problems.js';
import type { TlsOptions } from '../connection/tls-context.js';
import { writeCoalescerOf } from '../connection/write-coalescer.js';
import type { Log } from '../logging/log.js';
import { RedisLink } from './link.js';
import { logEvents } from './log-events.js';
import { notRunError } from './not-run.js';
import { connectionOptions, loginOf, retryDelayMs } from './options.js';
import { defineScripts } from './script-files.js';
import { endWhenSilent } from './silence-watch.js';

/** Milliseconds for a sentinel's answer; one that is frozen is passed over after this. */
const SENTINEL_TIMEOUT_MS = 700;

/** Where the master is found. */
export interface SentinelSettings {
  /** REDIS_URL: the sentinels; user, password and database of the first hold for the data nodes. */
  readonly urls: string;
  readonly database: number;
  readonly master: string;
  /** '' = none. */
  readonly username: string;
  readonly password: string;
}

/**
 * Connects to the master, in the background and for ever. The sentinels tell at once when another becomes master, also
 * where the old one is frozen and its connection stands.
 *
 * @param timeoutMs milliseconds that a call waits for its reply
 */
export function connectRedisBySentinels(
  { urls, database, master, username, password }: SentinelSettings,
  tls: TlsOptions,
  timeoutMs: number,
  log: Log,
): RedisLink {
  const redis = new Redis({
    ...connectionOptions(urls, tls),
    ...loginOf(urls),
    db: database,
    name: master,
    sentinels: addressesOf(urls, DEFAULT_PORTS.sentinel),
    ...(username !== '' && { sentinelUsername: username }),
    ...(password !== '' && { sentinelPassword: password }),
    ...(asksForTls(urls) && { enableTLSForSentinelMode: true, sentinelTLS: { ...tls } }),
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    sentinelRetryStrategy: retryDelayMs,
    sentinelReconnectStrategy: retryDelayMs,
    failoverDetector: true,
  });
  defineScripts(redis);
  endWhenSilent(redis);
  const holdWrites = writeCoalescerOf(redis);
  const link = new RedisLink(redis, timeoutMs, holdWrites, (error) =>
    notRunError(error, {
      moved: () => {},
      ask: () => undefined,
      // This node was the master until a moment ago. The sentinels know the new one.
      notServed: () => redis.disconnect(true),
    }),
  );
  // ioredis gives up for good where it is told of a failover while it asks the sentinels for the master.
  redis.on('end', () => {
    setTimeout(() => {
      if (!link.closing) redis.connect().catch(() => {});
    }, retryDelayMs(0));
  });
  const problems = new KnownProblems();
  logEvents(redis, urls, log, () => link.closing, problems);
  redis.on('sentinelError', (err: Error) => {
    if (problems.isNew(err)) log.error({ err }, 'redis.sentinel_failed');
  });
  return link;
}
