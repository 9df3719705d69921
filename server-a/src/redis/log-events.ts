/** What the log says of connections to Redis. */
import { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { asksForTls } from '../config/urls.js';
import { KnownProblems } from '../connection/known-problems.js';
import type { Log } from '../logging/log.js';
import { inPlainWords } from './plain-words.js';

/**
 * A client's handshake is over before the server has looked at its certificate. If the server does not want it, our
 * first command mostly meets a closed connection, and the server's reason is lost.
 */
const CERTIFICATE_HINT = 'the server may want a client certificate that it knows: REDIS_TLS_CERT_FILE';

/**
 * Logs what happens to a connection.
 *
 * @param urls REDIS_URL
 * @param closing true once the gateway ends the connection itself
 */
export function logEvents(
  redis: Redis,
  urls: string,
  log: Log,
  closing: () => boolean,
  problems = new KnownProblems(),
): void {
  let node: string | undefined;
  let connected = false;
  redis.on('error', (reported: Error) => {
    const err = inPlainWords(reported);
    // Otherwise ioredis would go on in database 0, among somebody else's records and counters.
    if (isRefusedDatabase(err)) redis.disconnect(true);
    if (!problems.isNew(err)) return;
    const hint = !connected && asksForTls(urls) && isReset(err) ? CERTIFICATE_HINT : undefined;
    log.error({ node, err, ...(hint !== undefined && { hint }) }, 'redis.error');
  });
  redis.on('connect', () => {
    node = addressOf(redis);
  });
  redis.on('ready', () => {
    problems.forget();
    connected = true;
    log.info({ node, role: redis.options.readOnly === true ? 'replica' : 'master' }, 'redis.ready');
  });
  redis.on('close', () => {
    // A failed attempt to reconnect closes too, and so does the gateway itself.
    if (connected && !closing()) log.warn({ node }, 'redis.closed');
    connected = false;
  });
}

/** True for Redis's refusal of the database that the URL names: there are fewer, or the user may not choose. */
function isRefusedDatabase(err: Error): boolean {
  const { command } = 'command' in err ? err : { command: undefined };
  return typeof command === 'object' && command !== null && 'name' in command && command.name === 'select';
}

function isReset(err: Error): boolean {
  return 'code' in err && (err.code === 'ECONNRESET' || err.code === 'EPIPE');
}

/** Host and port that a connection leads to. Where sentinels have found it, it is not in the options. */
export function addressOf({ stream, options: { host, port, sentinels } }: Redis): string {
  if (!sentinels || !(stream instanceof Socket)) return `${host}:${port}`;
  return `${stream.remoteAddress}:${stream.remotePort}`;
}
