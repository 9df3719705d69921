import { hash } from 'node:crypto';
import type { RequestState, SendRequest } from '../request/state.js';

/** Characters of the hash that tell one body from another: 60 bits. */
const LENGTH = 10;

/**
 * Returns what tells a request's body from another's under the same idempotency key; '' = the body could not be read.
 *
 * It is made of what the body says, not of its bytes: a message says the same alone and within a batch, where its fields
 * stand beside its key, and whatever the white space is that a sender's library writes.
 */
export function bodyDigest({ request, parsed, rawBody }: RequestState): string {
  if (request !== undefined) return digestOf(textOf(request));
  if (parsed !== undefined) return digestOf(inOrder(parsed));
  return rawBody === undefined ? '' : digestOf(rawBody);
}

/** The text comes last, and nothing before it can hold a space but a list of names, which says itself where it ends. */
function textOf({ to, text, ttlSeconds, providers }: SendRequest): string {
  const names = providers === undefined ? '' : JSON.stringify(providers);
  return `${to} ${ttlSeconds} ${names} ${text}`;
}

/** A body with faults, its fields in the order of their names. One that is nested too deep was not parsed. */
function inOrder(parsed: unknown): string {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return JSON.stringify(parsed);
  return JSON.stringify(Object.entries(parsed).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digestOf(content: string | Buffer): string {
  return hash('sha256', content, 'base64url').slice(0, LENGTH);
}
