import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Gateway } from '../support/gateway.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: {
    main: {},
    other: {},
    spent: { daily_quota: 0 },
    inactive: { is_active: false },
    short: {},
    unauthorized: {},
    counted: {},
  },
});
const gateway = await site.startGateway();
const withoutProviders = await site.startGateway({
  PROVIDERS_CONFIG: '{"Off":{"is_active":false,"is_operational":false}}',
});
const forgetful = await site.startGateway({ IDEMPOTENCY_TTL_SECONDS: '1' });
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** One request for each answer that is kept. */
const KEPT: readonly (readonly [number, string, string, unknown, Gateway])[] = [
  [202, 'an accepted request', 'main', newBody(), gateway],
  [400, 'an invalid body', 'main', { to: 'x' }, gateway],
  [400, 'a body that is not JSON', 'main', '{"to":"+98', gateway],
  [400, 'bytes that are not UTF-8', 'main', Buffer.from([0x7b, 0xff, 0x7d]), gateway],
  [409, 'one disabled provider', 'main', { ...newBody(), providers: ['Gamma'] }, gateway],
  [409, 'all providers disabled', 'main', { ...newBody(), providers: ['Gamma', 'Delta'] }, gateway],
  [422, 'an unknown provider', 'main', { ...newBody(), providers: ['Omega ☂'] }, gateway],
  [429, 'quota used up', 'spent', newBody(), gateway],
  [503, 'no provider available', 'main', newBody(), withoutProviders],
];

for (const [status, circumstance, client, body, asked] of KEPT) {
  test(`idempotency: ${circumstance} sent three times -> ${status}, replayed byte for byte`, async (t) => {
    const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body };
    const first = await asked.send(request);
    t.is(first.status, status);
    t.is(first.headers['idempotent-replayed'], undefined);
    for (let i = 0; i < 2; i += 1) {
      const again = await asked.send(request);
      t.is(again.status, status);
      t.is(again.headers['idempotent-replayed'], 'true');
      t.is(again.headers['content-type'], first.headers['content-type']);
      t.deepEqual(again.bytes, first.bytes);
    }
  });
}

test('idempotency: an accepted request three times -> one message', async (t) => {
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const { json } = await gateway.send(request);
  await gateway.send(request);
  await gateway.send(request);
  const { envelope } = await outbox.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], json['tracking_id']);
});

test('idempotency: a replayed 429 or 503 -> Retry-After, not longer than at first', async (t) => {
  for (const [client, asked] of [
    ['spent', gateway],
    ['main', withoutProviders],
  ] as const) {
    const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body: newBody() };
    const first = Number((await asked.send(request)).headers['retry-after']);
    const again = Number((await asked.send(request)).headers['retry-after']);
    t.true(again >= 1 && again <= first);
  }
});

test('idempotency: the record -> idem:{api_key}:{idempotency_key}, with the TTL of the configuration', async (t) => {
  const idempotencyKey = `order-${randomUUID()}`;
  await gateway.send({ apiKey, idempotencyKey, body: newBody() });
  const ttl = await site.redis.ttl(`idem:${apiKey}:${idempotencyKey}`);
  t.true(ttl > 86_000 && ttl <= 86_400);
});

test('idempotency: a 503 with Retry-After -> kept no longer than that', async (t) => {
  const idempotencyKey = randomUUID();
  const { headers } = await withoutProviders.send({ apiKey, idempotencyKey, body: newBody() });
  const ttl = await site.redis.ttl(site.recordKey('main', idempotencyKey));
  t.true(ttl > 0 && ttl <= Number(headers['retry-after']));
});

test('idempotency: a 429 -> kept until the quota resets, at the most', async (t) => {
  const idempotencyKey = randomUUID();
  const { headers } = await gateway.send({ apiKey: site.apiKey('spent'), idempotencyKey, body: newBody() });
  const ttl = await site.redis.ttl(site.recordKey('spent', idempotencyKey));
  t.true(ttl > 0 && ttl <= Number(headers['retry-after']));
});

test('idempotency: the TTL passed -> the key is new, under a new tracking id', async (t) => {
  const request = { apiKey: site.apiKey('short'), idempotencyKey: randomUUID(), body: newBody() };
  const first = await forgetful.send(request);
  const record = site.recordKey('short', request.idempotencyKey);
  await waitFor('an expired record', async () => (await site.redis.exists(record)) === 0);
  const second = await forgetful.send(request);
  t.is(second.headers['idempotent-replayed'], undefined);
  t.not(second.json['tracking_id'], first.json['tracking_id']);
  t.is((await outbox.withText(request.body.text)).length, 2);
});

test('idempotency: an unregistered API key -> 401, and nothing in Redis', async (t) => {
  const unregistered = `unregistered-${randomUUID()}`;
  const idempotencyKey = randomUUID();
  const { status } = await gateway.send({ apiKey: unregistered, idempotencyKey, body: newBody() });
  t.is(status, 401);
  t.deepEqual(await site.redis.keys(`*${unregistered}*`), []);
  t.deepEqual(await site.redis.keys(`*${idempotencyKey}*`), []);
});

test('idempotency: an inactive client -> 401, and nothing in Redis', async (t) => {
  const request = { apiKey: site.apiKey('inactive'), idempotencyKey: randomUUID(), body: newBody() };
  t.is((await gateway.send(request)).status, 401);
  t.is((await gateway.send(request)).headers['idempotent-replayed'], undefined);
  t.deepEqual(await site.keysOf('inactive'), []);
});

test('idempotency: a 401, then the right API key -> accepted, not replayed', async (t) => {
  const request = { idempotencyKey: randomUUID(), body: newBody() };
  t.is((await gateway.send({ ...request, apiKey: 'wrong' })).status, 401);
  const answer = await gateway.send({ ...request, apiKey: site.apiKey('unauthorized') });
  t.is(answer.status, 202);
  t.is(answer.headers['idempotent-replayed'], undefined);
});

test("idempotency: another client's same key -> separate", async (t) => {
  const request = { idempotencyKey: randomUUID(), body: newBody() };
  const mine = await gateway.send({ ...request, apiKey });
  const theirs = await gateway.send({ ...request, apiKey: site.apiKey('other') });
  t.is(theirs.status, 202);
  t.is(theirs.headers['idempotent-replayed'], undefined);
  t.not(theirs.json['tracking_id'], mine.json['tracking_id']);
  t.is((await outbox.withText(request.body.text)).length, 2);
});

test('idempotency: another key, same body -> separate', async (t) => {
  const body = newBody();
  const first = await gateway.send({ apiKey, idempotencyKey: randomUUID(), body });
  const second = await gateway.send({ apiKey, idempotencyKey: randomUUID(), body });
  t.not(first.json['tracking_id'], second.json['tracking_id']);
});

test('idempotency: a request without a key -> no record', async (t) => {
  await gateway.send({ apiKey: site.apiKey('counted'), body: newBody() });
  const keys = await site.keysOf('counted');
  t.true(keys.includes(site.counterKey('counted')));
  t.deepEqual(
    keys.filter((key) => key.startsWith('idem:')),
    [],
  );
});

test('idempotency: a replay on another gateway -> the same bytes', async (t) => {
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const first = await gateway.send(request);
  const again = await forgetful.send(request);
  t.is(again.headers['idempotent-replayed'], 'true');
  t.deepEqual(again.bytes, first.bytes);
});
