/** The `Idempotency-Key` header: how it is read, and what stands for it in the log. */
import { hash } from 'node:crypto';
import { invalidPayload } from '../errors.js';

const EXPECTED = 'must be 1 to 255 visible ASCII characters';
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;
/** RFC 8941 string: in double quotes, a backslash before a quote or a backslash. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** Hex digits of a key's digest: two of a million keys share one with a chance of 1 to 37 million. */
const DIGEST_DIGITS = 16;

/**
 * Returns the key that the header names: a quoted value names the same key as the bare one.
 *
 * @throws {ApiError} INVALID_PAYLOAD when it names none
 */
export function parseIdempotencyKey(header: string): string {
  const key = readIdempotencyKey(header);
  if (key === undefined) throw invalidPayload([{ field: 'Idempotency-Key', message: EXPECTED }]);
  return key;
}

/** Returns the key that the header names; undefined = none. */
export function readIdempotencyKey(header: string): string | undefined {
  const quoted = QUOTED.exec(header)?.[1];
  const key = quoted === undefined ? header : quoted.replace(/\\(["\\])/g, '$1');
  const brokenQuotes = quoted === undefined && header.startsWith('"');
  return brokenQuotes || !VISIBLE_ASCII.test(key) ? undefined : key;
}

/**
 * Returns the key that a part of a path names: percent-decoded, and then as in the header.
 *
 * @throws {ApiError} INVALID_PAYLOAD when it names none
 */
export function idempotencyKeyOfPath(part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    decoded = '';
  }
  return parseIdempotencyKey(decoded);
}

/**
 * Returns what stands for a key in the log: the beginning of its SHA-256. Whoever has the key finds its lines, and the log
 * does not show the key, which may say what its message is about.
 */
export function keyDigest(key: string): string {
  return hash('sha256', key).slice(0, DIGEST_DIGITS);
}
