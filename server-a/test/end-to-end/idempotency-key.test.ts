import { randomUUID } from 'node:crypto';
import test from 'ava';
import { newBody, Site } from '../support/site.js';

const site = new Site();
const gateway = await site.startGateway();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** Two spellings of one key. */
const SAME: Readonly<Record<string, (id: string) => readonly [string, string]>> = {
  'bare and quoted': (id) => [id, `"${id}"`],
  'with an escaped quote': (id) => [`a"${id}`, `"a\\"${id}"`],
  'with an escaped backslash': (id) => [`a\\${id}`, `"a\\\\${id}"`],
  'with a colon': (id) => [`a:${id}`, `"a:${id}"`],
};

for (const [circumstance, spell] of Object.entries(SAME)) {
  test(`idempotency key: ${circumstance} -> the same key`, async (t) => {
    const [bare, quoted] = spell(randomUUID());
    const body = newBody();
    const first = await gateway.send({ apiKey, idempotencyKey: bare, body });
    const again = await gateway.send({ apiKey, idempotencyKey: quoted, body });
    t.is(first.status, 202);
    t.is(again.headers['idempotent-replayed'], 'true');
    t.deepEqual(again.bytes, first.bytes);
  });
}

test('idempotency key: in other letters -> another key', async (t) => {
  const body = newBody();
  const id = `key-${randomUUID()}`;
  await gateway.send({ apiKey, idempotencyKey: id, body });
  const other = await gateway.send({ apiKey, idempotencyKey: id.toUpperCase(), body });
  t.is(other.headers['idempotent-replayed'], undefined);
});

const WRONG: Readonly<Record<string, string>> = {
  empty: '',
  'a quoted nothing': '""',
  'of 256 characters': 'k'.repeat(256),
  'of 256 characters in quotes': `"${'k'.repeat(256)}"`,
  'of two words': 'two words',
  'of two words in quotes': '"two words"',
  'with a tab': 'tab\tbed',
  'of no ASCII': 'schl\u00fcssel',
  'with a quote that does not end': '"open',
};

for (const [circumstance, idempotencyKey] of Object.entries(WRONG)) {
  test(`idempotency key: ${circumstance} -> 400 that names the header`, async (t) => {
    const body = newBody();
    const { status, json, text } = await gateway.send({ apiKey, idempotencyKey, body });
    t.is(status, 400);
    t.is(json['error_code'], 'INVALID_PAYLOAD');
    t.true(text.includes('Idempotency-Key'));
  });
}

test('idempotency key: sent twice with different values -> 400', async (t) => {
  const headers = { 'Idempotency-Key': [randomUUID(), randomUUID()] };
  t.is((await gateway.send({ apiKey, headers, body: newBody() })).status, 400);
});

test('idempotency key: of 1 or 255 characters -> accepted, and replayed', async (t) => {
  for (const idempotencyKey of ['!', '~'.repeat(255), `"${'k'.repeat(255)}"`]) {
    const body = newBody();
    t.is((await gateway.send({ apiKey, idempotencyKey, body })).status, 202);
    t.is((await gateway.send({ apiKey, idempotencyKey, body })).headers['idempotent-replayed'], 'true');
  }
});
