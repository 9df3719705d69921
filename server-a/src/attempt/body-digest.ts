import { hash } from 'node:crypto';
import type { RequestState, SendRequest } from '../request/state.js';

/** Characters of the hash that tell one body from another: 60 bits. */
const LENGTH = 10;

/**
 * Returns the digest that tells a request's body from another body under the same key; '' = the body could not be read.
 *
 * The digest is made of what the body says, not of its bytes. So white space makes no difference, and a message has the
 * same digest alone and in a batch, where its key stands beside its fields.
 */
export function bodyDigest({
  request,
  parsed,
  rawBody,
}: Partial<Pick<RequestState, 'request' | 'parsed' | 'rawBody'>>): string {
  if (request !== undefined) return digestOf(textOf(request));
  if (parsed !== undefined) return digestOf(inOrder(parsed));
  return rawBody === undefined ? '' : digestOf(rawBody);
}

/** The text comes last. Before it, only the list of names can hold a space, and a JSON list shows where it ends. */
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
