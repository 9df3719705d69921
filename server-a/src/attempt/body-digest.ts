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
export function bodyDigest({ request, parsed, rawBody }: RequestState): string {
  if (request !== undefined) return digestOf(textOf(request));
  if (parsed !== undefined) return digestOf(inOrder(parsed));
  return rawBody === undefined ? '' : digestOf(rawBody);
}

/** The text comes last. Before it, only the list of names can hold a space, and a JSON list shows where it ends. */
function textOf({ to, text, ttlSeconds, providers }: SendRequest): string {
  const names = providers === undefined ? '' : JSON.stringify(providers);
  return `${to} ${ttlSeconds} ${names} ${text}`;
}

/** A body with faults, its fields in the order of their names. */
function inOrder(parsed: unknown): string {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return jsonText(parsed);
  return jsonText(Object.entries(parsed).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Returns the JSON text of a value that came out of JSON.parse. */
function jsonText(root: unknown): string {
  try {
    return JSON.stringify(root);
  } catch (error) {
    // JSON.stringify calls itself for each level of nesting. The sender decides how many levels there are, and some
    // thousands of them are more than the stack holds.
    if (!(error instanceof RangeError)) throw error;
    return textOfLevels(root);
  }
}

/** A list or an object of which a part is written. */
interface Level {
  readonly of: object;
  readonly names: readonly string[];
  readonly isList: boolean;
  /** Place of the next name. */
  next: number;
}

/** Returns the same text as JSON.stringify, without calling itself. It costs several times as much. */
function textOfLevels(root: unknown): string {
  let written = '';
  const open: Level[] = [];
  const begin = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      written += JSON.stringify(value);
      return;
    }
    const isList = Array.isArray(value);
    written += isList ? '[' : '{';
    open.push({ of: value, names: Object.keys(value), isList, next: 0 });
  };
  begin(root);
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const { of, names, isList, next } = level;
    const name = names[next];
    if (name === undefined) {
      written += isList ? ']' : '}';
      open.pop();
      continue;
    }
    if (next > 0) written += ',';
    if (!isList) written += `${JSON.stringify(name)}:`;
    level.next = next + 1;
    begin(Reflect.get(of, name));
  }
  return written;
}

function digestOf(content: string | Buffer): string {
  return hash('sha256', content, 'base64url').slice(0, LENGTH);
}
