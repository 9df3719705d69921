/** Options that every connection to Redis has, and what several URLs say in the words of ioredis. */

import type { RedisOptions } from 'ioredis';
import { asksForTls, credentialsOf, urlsOf } from '../config/urls.js';
import type { TlsOptions } from '../connection/tls-context.js';

/** Milliseconds between attempts to reconnect, at the most: back within a second of the server's return. */
const MAX_RETRY_DELAY_MS = 1000;
/** Milliseconds for a TCP (and TLS) connection to come up; a black-holed address is tried anew after this. */
const CONNECT_TIMEOUT_MS = 2000;

/** Milliseconds before the next attempt to reconnect, after so many. */
export function retryDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RETRY_DELAY_MS);
}

/** Returns the options of a connection. @param urls REDIS_URL, which says whether TLS is asked for */
export function connectionOptions(urls: string, tls: TlsOptions): RedisOptions {
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 5000,
    // A script that was sent and not answered may have run: sent again, it could charge twice.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A request must not wait for a connection: it is refused at once.
    enableOfflineQueue: false,
    retryStrategy: retryDelayMs,
    ...(asksForTls(urls) && { tls: { ...tls } }),
  };
}

/** User and password of the first URL, which hold for all data nodes. */
export function loginOf(urls: string): Pick<RedisOptions, 'username' | 'password'> {
  const login = credentialsOf(urlsOf(urls)[0] ?? urls);
  if (login === undefined) return {};
  return { ...(login.user !== '' && { username: login.user }), password: login.password };
}
