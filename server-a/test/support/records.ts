/** Idempotency records as a gateway writes them (see lua/functions/record.lua), for tests that put one there. */
import { createHash } from 'node:crypto';

/** A valid body with neither TTL nor providers. */
export type PlainBody = Readonly<Record<'to' | 'text', string>>;

/** What tells one body from another: what a body says, with the default TTL and no providers. */
export function digestOf({ to, text }: PlainBody): string {
  return createHash('sha256').update(`${to} 3600  ${text}`).digest('base64url').slice(0, 10);
}

/** A record of an attempt that owns its key, or owned it last. */
export function openRecord(
  id: string,
  body: PlainBody,
  leaseUntilMs: number,
  { uncertain = 0, owner = 'somebody-else' } = {},
): string {
  const day = new Date().toISOString().slice(0, 10);
  return `1O${id}${digestOf(body)}${uncertain}${String(leaseUntilMs).padStart(13, '0')}${day}${owner}`;
}

/** A record of a key that was answered. */
export function answeredRecord(id: string, body: PlainBody, status = 202, answer = ''): string {
  return `1A${id}${digestOf(body)}${status}${answer}`;
}

/** Tracking id of a record. */
export function idOf(record: string): string {
  return record.slice(2, 38);
}
