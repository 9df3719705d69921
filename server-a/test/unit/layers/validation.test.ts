import { gzipSync } from 'node:zlib';
import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { validation } from '../../../src/layers/validation.js';
import { BODY_LIMIT_BYTES } from '../../../src/request/body.js';
import { MOST_LEVELS } from '../../../src/request/json-depth.js';
import { type Asked, contextOf, runLayers, thrownBy } from '../../support/context.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const BODY = '{"to":"+989121234567","text":"Hello"}';

/** Status and faults, as `field: message`, of the refusal of a request. */
async function refusalOf(asked: Asked): Promise<readonly string[]> {
  const thrown = await thrownBy(contextOf({ headers: JSON_TYPE, ...asked }), validation(), () => {
    throw new Error('it was not refused');
  });
  if (!(thrown instanceof ApiError)) throw thrown;
  const errors: unknown = thrown.details?.['errors'];
  const faults = Array.isArray(errors) ? errors.map(({ field, message }) => `${field}: ${message}`) : [];
  return [String(thrown.status), ...faults];
}

test('validation: a valid body -> the request, with its default', async (t) => {
  const ctx = contextOf({ headers: JSON_TYPE, body: BODY });
  await runLayers(ctx, validation());
  t.deepEqual(ctx.state.request, {
    to: '+989121234567',
    text: 'Hello',
    ttlSeconds: 3600,
    providers: undefined,
  });
});

test('validation: a compressed body -> read as it was written', async (t) => {
  const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' };
  const ctx = contextOf({ headers, body: gzipSync(BODY) });
  await runLayers(ctx, validation());
  t.is(ctx.state.request?.text, 'Hello');
});

test('validation: bytes that an earlier layer has read -> not read again', async (t) => {
  const ctx = contextOf({ state: { rawBody: Buffer.from(BODY) } });
  await runLayers(ctx, validation());
  t.is(ctx.state.request?.text, 'Hello');
});

test('validation: faults in several fields -> 400 with each of them', async (t) => {
  t.deepEqual(await refusalOf({ body: '{"to":"0912","text":""}' }), [
    '400',
    'to: must be an E.164 phone number: + and 7 to 15 digits, the first not 0',
    'text: must be a string of 1 to 1000 characters',
  ]);
});

for (const [what, asked, expected] of [
  ['no JSON', { body: '{' }, ['400', 'body: must be valid JSON']],
  ['no body', {}, ['400', 'body: must be valid JSON']],
  ['a list', { body: '[]' }, ['400', 'body: must be a JSON object']],
  [
    'as many levels as may be',
    { body: `{"text":${'['.repeat(MOST_LEVELS - 1)}${']'.repeat(MOST_LEVELS - 1)}}` },
    ['400', 'to: is required', 'text: must be a string of 1 to 1000 characters'],
  ],
  [
    'one level too many',
    { body: `{"text":${'['.repeat(MOST_LEVELS)}${']'.repeat(MOST_LEVELS)}}` },
    ['400', `body: must be nested at most ${MOST_LEVELS} levels deep`],
  ],
  ['not UTF-8', { body: Buffer.from('{"to":"\xff"}', 'latin1') }, ['400', 'body: must be UTF-8']],
  [
    'another media type',
    { headers: { 'content-type': 'text/plain' }, body: BODY },
    ['415', 'Content-Type: must be application/json'],
  ],
  [
    'an encoding that nobody knows',
    { headers: { ...JSON_TYPE, 'content-encoding': 'zstd-9' }, body: BODY },
    ['415', 'Content-Encoding: must be identity, gzip, deflate or br'],
  ],
  [
    'no gzip, though it says so',
    { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: BODY },
    ['400', 'body: cannot be decompressed'],
  ],
  [
    'one byte too many',
    { body: ' '.repeat(BODY_LIMIT_BYTES + 1) },
    ['413', `body: must have at most ${BODY_LIMIT_BYTES} bytes`],
  ],
  [
    'too many bytes once it is decompressed',
    { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(' '.repeat(1_000_000)) },
    ['413', `body: must have at most ${BODY_LIMIT_BYTES} bytes`],
  ],
] as const satisfies readonly (readonly [string, Asked, readonly string[]])[]) {
  test(`validation: ${what} -> ${expected.join(', ')}`, async (t) => {
    t.deepEqual(await refusalOf(asked), expected);
  });
}
