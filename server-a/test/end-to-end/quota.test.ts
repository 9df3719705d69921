import { randomUUID } from 'node:crypto';
import test from 'ava';
import { asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';

const site = new Site({
  clients: {
    main: {},
    hundred: { daily_quota: 100 },
    fifty: { daily_quota: 50 },
    three: { daily_quota: 3 },
    zero: { daily_quota: 0 },
    untouched: {},
    twins: {},
    unpublished: {},
    keyed: {},
    yesterday: { daily_quota: 2 },
    neighbour: { daily_quota: 1 },
  },
});
const gateway = await site.startGateway();
const second = await site.startGateway();
const withoutProviders = await site.startGateway({
  PROVIDERS_CONFIG: '{"Off":{"is_active":false,"is_operational":false}}',
});
const withoutBroker = await site.startGateway({ RABBITMQ_URL: 'amqp://127.0.0.1:1/' }, { untilReady: false });
const outbox = await site.openOutbox();

test.after.always(() => site.close());

/** Statuses, counted. */
function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

test('quota: 150 requests at once with 100 left -> exactly 100 accepted, sent and counted', async (t) => {
  const bodies = Array.from({ length: 150 }, newBody);
  const apiKey = site.apiKey('hundred');
  const answers = await Promise.all(bodies.map((body) => gateway.send({ apiKey, body })));
  t.deepEqual(tally(answers.map(({ status }) => status)), { 202: 100, 429: 50 });
  await outbox.settled();
  const sent = outbox.received.filter(({ envelope }) => envelope['client_key'] === apiKey);
  t.is(sent.length, 100);
  t.is(await site.redis.get(site.counterKey('hundred')), '100');
});

test('quota: 120 keyed requests at once on two gateways with 50 left -> exactly 50 accepted', async (t) => {
  const apiKey = site.apiKey('fifty');
  const answers = await Promise.all(
    Array.from({ length: 120 }, (_, i) =>
      (i % 2 === 0 ? gateway : second).send({ apiKey, idempotencyKey: randomUUID(), body: newBody() }),
    ),
  );
  t.deepEqual(tally(answers.map(({ status }) => status)), { 202: 50, 429: 70 });
  t.is(await site.used('fifty'), 50);
});

test('quota: the counter -> {QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}, expires within 24 h', async (t) => {
  const apiKey = site.apiKey('main');
  await gateway.send({ apiKey, body: newBody() });
  const [counter = '', ...others] = await site.redis.keys(`${site.quotaPrefix}:*`).then((keys) => {
    return keys.filter((key) => key.includes(apiKey));
  });
  t.deepEqual(others, []);
  t.is(counter, site.counterKey('main'));
  const ttl = await site.redis.ttl(counter);
  t.true(ttl > 86_000 && ttl <= 86_400);
});

test('quota: one after the other -> the RateLimit headers count down, then 429 until midnight UTC', async (t) => {
  const apiKey = site.apiKey('three');
  const left: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    const { status, headers } = await gateway.send({ apiKey, body: newBody() });
    t.is(status, 202);
    t.is(headers['ratelimit-policy'], '"daily";q=3;w=86400');
    left.push(/r=(\d+);t=\d+$/.exec(String(headers['ratelimit']))?.[1] ?? '');
  }
  t.deepEqual(left, ['2', '1', '0']);

  const { status, headers, json } = await gateway.send({ apiKey, body: newBody() });
  t.is(status, 429);
  t.is(json['error_code'], 'TOO_MANY_REQUESTS');
  const secondsToMidnight = 86_400 - (Math.floor(Date.now() / 1000) % 86_400);
  t.true(Math.abs(Number(headers['retry-after']) - secondsToMidnight) <= 3);
  t.regex(String(headers['ratelimit']), /^"daily";r=0;t=\d+$/);
  t.is(await site.used('three'), 3);
});

test('quota: of 0 -> 429 for every request, and no counter', async (t) => {
  const apiKey = site.apiKey('zero');
  const answer = await gateway.send({ apiKey, body: newBody() });
  t.is(answer.status, 429);
  t.is(asObject(answer.json['details'])['daily_quota'], 0);
  t.is(await site.used('zero'), 0);
});

test('quota: requests refused with 400, 401, 409, 422, 503 -> the counter is untouched', async (t) => {
  const apiKey = site.apiKey('untouched');
  const gamma = { ...newBody(), providers: ['Gamma'] };
  const statuses = [
    await gateway.send({ apiKey, body: {} }),
    await gateway.send({ apiKey: `${apiKey}x`, body: newBody() }),
    await gateway.send({ apiKey, body: gamma }),
    await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma', 'Delta'] } }),
    await gateway.send({ apiKey, body: { ...newBody(), providers: ['Omega'] } }),
    await withoutProviders.send({ apiKey, body: newBody() }),
    await gateway.send({ apiKey, body: gamma, idempotencyKey: randomUUID() }),
  ].map(({ status }) => status);
  t.deepEqual(statuses, [400, 401, 409, 409, 422, 503, 409]);
  t.is(await site.used('untouched'), 0);
});

test('quota: replays and twins -> one unit', async (t) => {
  const request = { apiKey: site.apiKey('twins'), idempotencyKey: randomUUID(), body: newBody() };
  await Promise.all(Array.from({ length: 10 }, () => gateway.send(request)));
  t.is((await gateway.send(request)).headers['idempotent-replayed'], 'true');
  t.is(await site.used('twins'), 1);
});

test('quota: the broker is away -> 500, not charged', async (t) => {
  const apiKey = site.apiKey('unpublished');
  t.is((await withoutBroker.send({ apiKey, body: newBody() })).status, 500);
  t.is((await withoutBroker.send({ apiKey, idempotencyKey: randomUUID(), body: newBody() })).status, 500);
  t.is(await site.used('unpublished'), 0);
});

test('quota: one client used up -> another is not affected', async (t) => {
  t.is((await gateway.send({ apiKey: site.apiKey('neighbour'), body: newBody() })).status, 202);
  t.is((await gateway.send({ apiKey: site.apiKey('neighbour'), body: newBody() })).status, 429);
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
});

test("quota: yesterday's counter used up -> today starts anew", async (t) => {
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const apiKey = site.apiKey('yesterday');
  await site.redis.set(`${site.quotaPrefix}:${apiKey}:${yesterday}`, '2', 'EX', 60);
  t.is((await gateway.send({ apiKey, body: newBody() })).status, 202);
});

test('quota: a 429 with a key, and the quota raised meanwhile -> the 429 is replayed, a new key is charged', async (t) => {
  const apiKey = site.apiKey('keyed');
  const low = await site.startGateway({
    CLIENT_CONFIG: JSON.stringify({ [apiKey]: { name: 'keyed', is_active: true, daily_quota: 0 } }),
  });
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  t.is((await low.send(request)).status, 429);
  t.is((await gateway.send(request)).status, 429);
  t.is((await gateway.send({ ...request, idempotencyKey: randomUUID() })).status, 202);
});
