/**
 * What is refused with 400, 413 and 415, and what the answer says.
 *
 * Over 250 lines: a list, one test for each kind of fault.
 */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Answer } from '../support/http-client.js';
import { asList, asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';

const site = new Site();
const gateway = await site.startGateway();
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** Returns the fields that a 400 names, in the order of the alphabet. */
function fieldsOf(t: ExecutionContext, answer: Answer): string[] {
  t.is(answer.status, 400);
  t.is(answer.json['error_code'], 'INVALID_PAYLOAD');
  const errors = asList(asObject(answer.json['details'])['errors']).map(asObject);
  return errors.map(({ field }) => String(field)).sort();
}

const TO = '+989121234567';
const TEXT = 'hello';
const EMOJI = '😀';

/** Values that one field must not have. */
const WRONG: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  to: {
    empty: '',
    'without a plus': '989121234567',
    'a leading zero': '+0989121234567',
    'two pluses': '++989121234567',
    'six digits': '+123456',
    'sixteen digits': '+1234567890123456',
    'letters in it': '+98912123456a',
    'spaces in it': '+98 912 123 4567',
    'a space before': ' +989121234567',
    'a line end after': '+989121234567\n',
    'Persian digits': '+۹۸۹۱۲۱۲۳۴۵۶۷',
    'full-width digits': '+９８９１２１２３４５６７',
    'a number': 989121234567,
    'a list': ['+989121234567'],
    null: null,
    'an object': {},
  },
  text: {
    empty: '',
    '1001 characters': 'x'.repeat(1001),
    '1001 emoji': EMOJI.repeat(1001),
    'a high surrogate alone': 'a\ud83d',
    'a low surrogate alone': '\ude00a',
    'surrogates the wrong way round': '\ude00\ud83d',
    'a number': 5,
    null: null,
    'a list': ['hello'],
    true: true,
  },
  ttl_seconds: {
    nine: 9,
    '86401': 86_401,
    zero: 0,
    negative: -60,
    'a fraction': 60.5,
    'a string': '60',
    true: true,
    'a list': [60],
    'an object': {},
    huge: 1e300,
  },
  providers: {
    'a string': 'Alpha',
    'an object': { 0: 'Alpha' },
    'a number in it': ['Alpha', 5],
    'null in it': ['Alpha', null],
    'a list in it': [['Alpha']],
    '33 names': Array.from({ length: 33 }, () => 'Alpha'),
    false: false,
  },
};

for (const [field, values] of Object.entries(WRONG)) {
  for (const [circumstance, value] of Object.entries(values)) {
    test(`validation: ${field} ${circumstance} -> 400 that names ${field}`, async (t) => {
      const answer = await gateway.send({ apiKey, body: { to: TO, text: TEXT, [field]: value } });
      t.deepEqual(fieldsOf(t, answer), [field]);
    });
  }
}

/** Values that one field may just have. */
const RIGHT: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  to: { 'seven digits': '+1234567', 'fifteen digits': '+123456789012345' },
  text: {
    'one character': '.',
    'one space': ' ',
    '1000 characters': 'x'.repeat(1000),
    '1000 emoji': EMOJI.repeat(1000),
    'U+FFFD itself': 'a\ufffdb',
    'a NUL': '\u0000',
  },
  ttl_seconds: { ten: 10, '86400': 86_400, null: null, '60.0': 60.0 },
  providers: { null: null, 'an empty list': [], '32 names': Array.from({ length: 32 }, () => 'Alpha') },
};

for (const [field, values] of Object.entries(RIGHT)) {
  for (const [circumstance, value] of Object.entries(values)) {
    test(`validation: ${field} ${circumstance} -> 202`, async (t) => {
      t.is((await gateway.send({ apiKey, body: { to: TO, text: TEXT, [field]: value } })).status, 202);
    });
  }
}

/** Bodies that are no JSON object, with the field that the fault is put down to. */
const NO_OBJECT: Readonly<Record<string, string | Buffer>> = {
  'cut short': '{"to":"+989121234567"',
  'no JSON': 'to=+989121234567',
  empty: '',
  'with a comma too many': '{"to":"+989121234567","text":"x",}',
  'with NaN': '{"to":"+989121234567","text":"x","ttl_seconds":NaN}',
  'a list': '[{"to":"+989121234567","text":"x"}]',
  'a string': '"+989121234567"',
  'a number': '5',
  null: 'null',
  'bytes that are not UTF-8': Buffer.from([
    ...Buffer.from('{"to":"+989121234567","text":"'),
    0xff,
    0x22,
    0x7d,
  ]),
  'UTF-8 of a surrogate': Buffer.from([
    ...Buffer.from('{"to":"+989121234567","text":"'),
    ...[0xed, 0xa0, 0xbd, 0x22, 0x7d],
  ]),
  'latin1 text': Buffer.from('{"to":"+989121234567","text":"café"}', 'latin1'),
};

for (const [circumstance, body] of Object.entries(NO_OBJECT)) {
  test(`validation: a body ${circumstance} -> 400 that names the body`, async (t) => {
    t.deepEqual(fieldsOf(t, await gateway.send({ apiKey, body })), ['body']);
  });
}

test('validation: a lone surrogate as a JSON escape -> 400 that names text', async (t) => {
  t.deepEqual(fieldsOf(t, await gateway.send({ apiKey, body: `{"to":"${TO}","text":"a\\ud83d"}` })), [
    'text',
  ]);
});

test('validation: an emoji as JSON escapes -> accepted as the emoji', async (t) => {
  const { text } = newBody();
  const body = `{"to":"${TO}","text":"${text} \\ud83d\\ude00"}`;
  t.is((await gateway.send({ apiKey, body })).status, 202);
  t.is((await outbox.withText(`${text} ${EMOJI}`)).length, 1);
});

test('validation: faults in every field -> all named at once', async (t) => {
  const body = { to: '0', text: '', ttl_seconds: 1, providers: 'x', sender: 'me' };
  const fields = fieldsOf(t, await gateway.send({ apiKey, body }));
  t.deepEqual(fields, ['providers', 'sender', 'text', 'to', 'ttl_seconds']);
});

test('validation: required fields missing -> both named', async (t) => {
  t.deepEqual(fieldsOf(t, await gateway.send({ apiKey, body: { ttl_seconds: 60 } })), ['text', 'to']);
});

for (const name of ['from', 'TO', 'ttl', '__proto__', 'constructor', 'toString', '', 'a.b', 'text[0]']) {
  test(`validation: an unknown field "${name}" -> 400 that names it`, async (t) => {
    const body = `{"to":"${TO}","text":"${TEXT}",${JSON.stringify(name)}:{"to":"x"}}`;
    t.deepEqual(fieldsOf(t, await gateway.send({ apiKey, body })), [name]);
  });
}

test('validation: required fields only behind __proto__ -> 400 that names all three', async (t) => {
  const body = `{"__proto__":{"to":"${TO}","text":"${TEXT}"}}`;
  t.deepEqual(fieldsOf(t, await gateway.send({ apiKey, body })), ['__proto__', 'text', 'to']);
});

for (const [what, names] of [
  ['3000 unknown fields', Array.from({ length: 3000 }, (_, n) => `f${n.toString(36)}`)],
  [
    '20 unknown fields with the longest names',
    Array.from({ length: 20 }, (_, n) => `${n}`.padEnd(1500, 'x')),
  ],
  [
    'unknown fields that grow when they are escaped',
    Array.from({ length: 60 }, (_, n) => `${n}`.padEnd(80, '\u0001')),
  ],
] as const) {
  test(`validation: ${what} -> 20 faults and how many more, in less than 16 KiB, keyed and replayed`, async (t) => {
    const body = `{${names.map((name) => `${JSON.stringify(name)}:1`).join(',')}}`;
    t.true(body.length < 32 * 1024);
    const idempotencyKey = randomUUID();
    const answer = await gateway.send({ apiKey, body, idempotencyKey });
    t.is(answer.status, 400);
    const { errors, not_listed: notListed } = asObject(answer.json['details']);
    t.is(asList(errors).length, 20);
    // Two faults more: the required fields.
    t.is(notListed, names.length + 2 - 20);
    t.true(answer.bytes.length < 16 * 1024, `${answer.bytes.length}`);
    t.deepEqual((await gateway.send({ apiKey, body, idempotencyKey })).bytes, answer.bytes);
    const record = await site.redis.strlen(site.recordKey('main', idempotencyKey));
    t.true(record < 17 * 1024, `${record}`);
  });
}

for (const [what, body] of Object.entries({
  '16,000 lists in one another': '['.repeat(16_000) + ']'.repeat(16_000),
  '5,000 objects in one another': `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  'a text of 16,000 lists': `{"to":"${TO}","text":${'['.repeat(16_000)}${']'.repeat(16_000)}}`,
})) {
  test(`validation: ${what}, keyed -> 400, and replayed`, async (t) => {
    const request = { apiKey, body, idempotencyKey: randomUUID() };
    const answer = await gateway.send(request);
    t.is(answer.status, 400);
    const again = await gateway.send(request);
    t.deepEqual(again.bytes, answer.bytes);
    t.is(again.headers['idempotent-replayed'], 'true');
  });
}

test('validation: unknown providers with the longest names -> named in part, in less than 16 KiB', async (t) => {
  const providers = Array.from({ length: 32 }, (_, n) => `${n}`.padEnd(160, '\u0001'));
  const answer = await gateway.send({ apiKey, body: { to: TO, text: TEXT, providers } });
  t.is(answer.status, 422);
  t.true(answer.bytes.length < 16 * 1024, `${answer.bytes.length}`);
});

test('validation: a field whose name is cut within an emoji -> a whole character in its place', async (t) => {
  const name = `${'x'.repeat(63)}${EMOJI}`;
  const answer = await gateway.send({ apiKey, body: { to: TO, text: TEXT, [name]: 1 } });
  t.deepEqual(fieldsOf(t, answer), [`${'x'.repeat(63)}\ufffd…`]);
});

test('validation: a fault -> the answer does not repeat what was sent', async (t) => {
  const { text } = await gateway.send({ apiKey, body: { to: 'phone-of-a-person', text: 17 } });
  t.false(text.includes('phone-of-a-person'));
});

test('validation: a valid body that begins with a byte order mark -> an answer, not a 500', async (t) => {
  const body = Buffer.from(`\ufeff${JSON.stringify({ to: TO, text: TEXT })}`);
  t.true([202, 400].includes((await gateway.send({ apiKey, body })).status));
});

test('validation: a compressed body -> read, and over the limit when inflated 413', async (t) => {
  const headers = { 'Content-Encoding': 'gzip' };
  const body = newBody();
  t.is((await gateway.send({ apiKey, headers, body: gzipSync(JSON.stringify(body)) })).status, 202);
  t.is((await outbox.withText(body.text)).length, 1);
  t.is((await gateway.send({ apiKey, headers, body: gzipSync('x'.repeat(5_000_000)) })).status, 413);
  t.is((await gateway.send({ apiKey, headers, body: 'not gzip' })).status, 400);
});
