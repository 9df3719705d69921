/** What the simulated senders send: the key is the first word of the text, so that the queue can be compared with the keys. */
import { BATCH_PATH, SEND_PATH } from '../../src/http/paths.js';
import type { RequestRecord } from './records.js';
import { CLIENTS } from './settings.js';

/** The text of a request's message: its first word is the key. */
export function textOf({ key, body }: Pick<RequestRecord, 'key' | 'body'>): string {
  return `${key ?? '-'} ${body === 'other' ? 'another text' : 'a text'}`;
}

/** What is sent to a gateway. */
export interface SentRequest {
  readonly path: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record, and the providers that its body names. */
export interface ToSend {
  readonly record: RequestRecord;
  readonly providers: readonly string[];
}

function fieldsOf({ record, providers }: ToSend): object {
  const text = textOf(record);
  return record.body === 'invalid'
    ? { to: 'nobody', text }
    : { to: '+989121234567', text, ttl_seconds: 600, ...(providers.length > 0 && { providers }) };
}

/** Returns the request that sends a message alone. */
export function requestOf(sent: ToSend): SentRequest {
  const { record } = sent;
  return {
    path: SEND_PATH,
    body: Buffer.from(JSON.stringify(fieldsOf(sent))),
    headers: {
      'api-key': CLIENTS[record.client],
      'content-type': record.body === 'unreadable' ? 'text/plain' : 'application/json',
      ...(record.key !== undefined && { 'idempotency-key': record.key }),
    },
  };
}

/** True for what can be an item of a batch: it has a key, and is of the client whose batches these are. */
export function mayBeItem({ key, client, body }: Pick<RequestRecord, 'key' | 'client' | 'body'>): boolean {
  return key !== undefined && client === 'keyed' && body !== 'unreadable';
}

/** Returns the request that sends messages in a batch. */
export function batchOf(items: readonly ToSend[]): SentRequest {
  const messages = items.map((item) => ({ idempotency_key: item.record.key, ...fieldsOf(item) }));
  return {
    path: BATCH_PATH,
    body: Buffer.from(JSON.stringify({ messages })),
    headers: { 'api-key': CLIENTS.keyed, 'content-type': 'application/json' },
  };
}
