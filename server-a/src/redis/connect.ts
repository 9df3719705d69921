/** The connection to one Redis. */
import { Redis } from 'ioredis';
import type { TlsOptions } from '../connection/tls-context.js';
import { WriteCoalescer } from '../connection/write-coalescer.js';
import type { Log } from '../logging/log.js';
import { connectorWith } from './connector.js';
import { RedisLink } from './link.js';
import { logEvents } from './log-events.js';
import { connectionOptions } from './options.js';
import { defineScripts } from './script-files.js';
import { endWhenSilent } from './silence-watch.js';

/**
 * Connects to Redis, in the background and for ever.
 *
 * @param timeoutMs milliseconds that a call waits for its reply
 */
export function connectRedis(url: string, tls: TlsOptions, timeoutMs: number, log: Log): RedisLink {
  let coalescer: WriteCoalescer | undefined;
  const redis = new Redis(url, {
    ...connectionOptions(url, tls),
    Connector: connectorWith((socket) => {
      // Calls of a turn are gathered before they are sent.
      coalescer = new WriteCoalescer(socket, 'tick');
    }),
  });
  defineScripts(redis);
  endWhenSilent(redis);
  const link = new RedisLink(redis, timeoutMs, () => coalescer?.hold());
  logEvents(redis, url, log, () => link.closing);
  return link;
}
