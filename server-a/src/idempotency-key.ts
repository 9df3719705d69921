/** Reads the `Idempotency-Key` header. */
import { invalidPayload } from './errors.js';

const EXPECTED = 'must be 1 to 255 visible ASCII characters';
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;
/** RFC 8941 string: in double quotes, a backslash before a quote or a backslash. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/**
 * Returns the key that the header names: a quoted value names the same key as the bare one.
 *
 * @throws {ApiError} INVALID_PAYLOAD when it names none
 */
export function parseIdempotencyKey(header: string): string {
  const quoted = QUOTED.exec(header)?.[1];
  const key = quoted === undefined ? header : quoted.replace(/\\(["\\])/g, '$1');
  const brokenQuotes = quoted === undefined && header.startsWith('"');
  if (brokenQuotes || !VISIBLE_ASCII.test(key)) {
    throw invalidPayload([{ field: 'Idempotency-Key', message: EXPECTED }]);
  }
  return key;
}
