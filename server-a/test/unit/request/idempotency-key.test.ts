import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import {
  idempotencyKeyOfPath,
  keyDigest,
  parseIdempotencyKey,
} from '../../../src/request/idempotency-key.js';

for (const [header, key] of [
  ['order-4711', 'order-4711'],
  ['"order-4711"', 'order-4711'],
  ['a', 'a'],
  ['x'.repeat(255), 'x'.repeat(255)],
  [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  ['a"b', 'a"b'],
  [String.raw`"a\"b\\c"`, String.raw`a"b\c`],
  [String.raw`a\b`, String.raw`a\b`],
] as const) {
  test(`idempotency key: ${header.slice(0, 30)} (${header.length} characters) -> ${key.slice(0, 30)}`, (t) => {
    t.is(parseIdempotencyKey(header), key);
  });
}

for (const [what, header] of Object.entries({
  nothing: '',
  'empty quotes': '""',
  'a space within': 'a b',
  'a space within quotes': '"a b"',
  '256 characters': 'x'.repeat(256),
  '256 characters in quotes': `"${'x'.repeat(256)}"`,
  'a quote that is not closed': '"abc',
  'a quote after its end': '"abc"d',
  'an escape of an ordinary character': String.raw`"a\b"`,
  'not ASCII': 'schlüssel',
  'a control character': 'a\u0007b',
  'two headers in one': 'a, b',
})) {
  test(`idempotency key: ${what} -> INVALID_PAYLOAD that names the header`, (t) => {
    const error = t.throws(() => parseIdempotencyKey(header), { instanceOf: ApiError });
    t.is(error?.status, 400);
    t.deepEqual(error?.details, {
      errors: [{ field: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' }],
    });
  });
}

for (const [part, key] of [
  ['order-4711', 'order-4711'],
  ['a%2Fb%3Fc%25', 'a/b?c%'],
  ['%22order-4711%22', 'order-4711'],
] as const) {
  test(`idempotency key in a path: ${part} -> ${key}`, (t) => {
    t.is(idempotencyKeyOfPath(part), key);
  });
}

for (const part of ['', '%', '%zz', '%C3', '%C3%A9', 'a%20b', '%22a']) {
  test(`idempotency key in a path: "${part}" -> INVALID_PAYLOAD`, (t) => {
    t.throws(() => idempotencyKeyOfPath(part), { instanceOf: ApiError });
  });
}

test('key digest -> the first 16 hex digits of its SHA-256', (t) => {
  t.is(keyDigest('order-4711'), '173d0ddbff034193');
});
