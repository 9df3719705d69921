/** What RABBITMQ_URL says, in the words of amqplib. */
import { credentials } from 'amqplib';
import { credentialsOf } from '../config/urls.js';

/** Seconds between AMQP heartbeats: a peer that fell silent is given up after two of them. */
const HEARTBEAT_SECONDS = 5;

/** Sets the heartbeat unless the URL has one: without it a peer that vanished would be waited for by TCP, for minutes. */
export function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}

/**
 * Returns the URL's user and password as amqplib's option. Left to itself, amqplib takes percent-encoded UTF-8 for
 * Latin-1, and sends another password than was meant. Without either it logs in as guest.
 */
export function loginOf(url: string): { credentials?: ReturnType<typeof credentials.plain> } {
  const login = credentialsOf(url);
  return login === undefined ? {} : { credentials: credentials.plain(login.user, login.password) };
}
