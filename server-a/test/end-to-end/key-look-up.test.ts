/** `GET /api/v1/sms/requests/{key}`: what a client is told of its own keys. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { Gateway } from '../support/gateway.js';
import { asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { REQUESTS_PATH } from '../support/paths.js';
import { openRecord } from '../support/records.js';
import { newBody, Site, sha256 } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: { main: {}, other: {}, inactive: { is_active: false }, none: { daily_quota: 0 } },
  variables: { LOG_LEVEL: 'debug' },
});
const gateway = await site.startGateway();
const outbox = await site.openOutbox();

test.after.always(() => site.close());

function lookUp(key: string, client = 'main', by: Gateway = gateway) {
  return by.ask(`${REQUESTS_PATH}${encodeURIComponent(key)}`, 'GET', { 'API-Key': site.apiKey(client) });
}

/** Looks up a key of the client `main`, and sees to it that nothing of the client in Redis is changed by that. */
async function lookUpUnchanged(t: ExecutionContext, key: string) {
  const record = site.recordKey('main', key);
  const state = async () => [await site.redis.get(record), await site.used('main')];
  const before = await state();
  const answer = await lookUp(key);
  t.deepEqual(await state(), before);
  return answer;
}

test.serial('look up: accepted -> the answer, its id, its age and its rest; not to be cached', async (t) => {
  const [key, began] = [`order/${randomUUID()}?%`, Date.now()];
  const sent = await gateway.send({ apiKey: site.apiKey('main'), idempotencyKey: key, body: newBody() });
  t.is(sent.status, 202);
  const { status, json, headers } = await lookUpUnchanged(t, key);
  t.is(status, 200);
  t.is(headers['cache-control'], 'no-store');
  t.like(json, { state: 'answered', accepted: 'yes', tracking_id: sent.json['tracking_id'] });
  t.deepEqual(json['answer'], { status: 202, body: sent.json });
  const since = Date.parse(String(json['since']));
  t.true(since > began - 2000 && since < Date.now() + 2000, String(json['since']));
  t.true(Number(json['seconds_left']) > 86_000 && Number(json['seconds_left']) <= 86_400);
});

test.serial('look up: refused, for good or for now -> the refusal as it was given', async (t) => {
  for (const [client, body, answer] of [
    ['main', {}, 400],
    ['main', { ...newBody(), providers: ['Gamma'] }, 409],
    ['none', newBody(), 429],
  ] as const) {
    const key = randomUUID();
    const sent = await gateway.send({ apiKey: site.apiKey(client), idempotencyKey: key, body });
    const { json } = await lookUp(key, client);
    t.like(json, { state: 'answered', accepted: 'no', since: sent.json['timestamp'] });
    t.deepEqual(json['answer'], { status: answer, body: sent.json });
    t.is(json['tracking_id'], undefined);
  }
});

test.serial(
  'look up: open, with or without an attempt at work -> said, and nothing is taken over',
  async (t) => {
    for (const [leaseUntil, state] of [
      [Date.now() + 60_000, 'in_flight'],
      [Date.now() - 1000, 'open'],
    ] as const) {
      const [key, id, body] = [randomUUID(), randomUUID(), newBody()];
      await site.redis.set(site.recordKey('main', key), openRecord(id, body, leaseUntil), 'EX', 600);
      const { status, json } = await lookUpUnchanged(t, key);
      t.is(status, 200);
      t.like(json, { state, accepted: 'unknown', tracking_id: id, answer: undefined });
      t.deepEqual(await outbox.withText(body.text), []);
    }
  },
);

test.serial(
  'look up: never used, of another client, or over -> 404 that is told from a wrong path',
  async (t) => {
    const key = randomUUID();
    await gateway.send({ apiKey: site.apiKey('other'), idempotencyKey: key, body: newBody() });
    t.is((await lookUp(key, 'other')).status, 200);
    const foreign = await lookUpUnchanged(t, key);
    const never = await lookUpUnchanged(t, randomUUID());
    await site.redis.pexpire(site.recordKey('other', key), 1);
    await waitFor('the end of the record', async () => (await lookUp(key, 'other')).status === 404);
    for (const { status, json, headers } of [foreign, never]) {
      t.is(status, 404);
      t.is(json['error_code'], 'KEY_NOT_FOUND');
      t.is(headers['cache-control'], 'no-store');
    }
    const elsewhere = await gateway.ask(`${REQUESTS_PATH}a/b`, 'GET', { 'API-Key': site.apiKey('main') });
    t.is(elsewhere.json['error_code'], 'NOT_FOUND');
  },
);

test.serial('look up: another API key of the client -> its keys are found', async (t) => {
  const [first, second, foreign] = [randomUUID(), randomUUID(), randomUUID()];
  const client = { id: `team-${randomUUID()}`, name: 'team', is_active: true, daily_quota: 9 };
  const own = await site.startGateway({
    CLIENT_CONFIG: JSON.stringify({
      [first]: client,
      [second]: client,
      [foreign]: { name: 'foreign', is_active: true, daily_quota: 9 },
    }),
  });
  const key = randomUUID();
  await own.send({ apiKey: first, idempotencyKey: key, body: newBody() });
  const asked = async (apiKey: string) =>
    (await own.ask(`${REQUESTS_PATH}${key}`, 'GET', { 'API-Key': apiKey })).status;
  t.deepEqual([await asked(second), await asked(foreign)], [200, 404]);
  const left = await site.redis.keys(`*${client.id}*`);
  await site.redis.del(left);
});

test.serial('look up: no API key that counts -> 401, whatever the key is like', async (t) => {
  for (const apiKey of [undefined, 'nobody', site.apiKey('inactive')]) {
    for (const key of ['order-1', '%20']) {
      const headers = apiKey === undefined ? {} : { 'API-Key': apiKey };
      const { status, json } = await gateway.ask(`${REQUESTS_PATH}${key}`, 'GET', headers);
      t.is(status, 401);
      t.is(json['error_code'], 'UNAUTHORIZED');
    }
  }
});

test.serial('look up: what is no idempotency key -> 400 that names it', async (t) => {
  for (const key of ['%20', '%zz', '%C3%A9', 'x'.repeat(256), '%22a']) {
    const { status, json } = await gateway.ask(`${REQUESTS_PATH}${key}`, 'GET', {
      'API-Key': site.apiKey('main'),
    });
    t.is(status, 400, key);
    t.is(Object(json['details']).errors[0].field, 'Idempotency-Key');
  }
});

test.serial('look up: a key in quotes, a query, HEAD, POST -> as everywhere', async (t) => {
  const key = randomUUID();
  await gateway.send({ apiKey: site.apiKey('main'), idempotencyKey: key, body: newBody() });
  t.is((await lookUp(`"${key}"`)).status, 200);
  const headers = { 'API-Key': site.apiKey('main') };
  t.is((await gateway.ask(`${REQUESTS_PATH}${key}?a=b`, 'GET', headers)).status, 200);
  t.is((await gateway.ask(`${REQUESTS_PATH}${key}`, 'HEAD', headers)).text, '');
  const posted = await gateway.ask(`${REQUESTS_PATH}${key}`, 'POST', headers);
  t.deepEqual([posted.status, posted.headers.allow], [405, 'HEAD, GET']);
});

test.serial('look up: Redis gone, or silent -> 500 within its limit, with unknown; never 404', async (t) => {
  const proxy = await startTcpProxy(REDIS_URL);
  t.teardown(() => proxy.close());
  const own = await site.startGateway({ REDIS_URL: proxy.url, REDIS_TIMEOUT_MS: '300' });
  const key = randomUUID();
  await own.send({ apiKey: site.apiKey('main'), idempotencyKey: key, body: newBody() });
  proxy.stallAnswers();
  for (let n = 0; n < 2; n += 1) {
    const { status, json, tookMs } = await lookUp(key, 'main', own);
    t.is(status, 500);
    t.deepEqual(json['details'], { accepted: 'unknown', retry: 'same_key' });
    t.true(tookMs < 2000, `${tookMs} ms`);
  }
});

test.serial('look up: counted and logged as other paths are, with digests for the keys', async (t) => {
  const [key, missing] = [`secret-${randomUUID()}`, `secret-${randomUUID()}`];
  const before = await scrape(gateway);
  const { json } = await gateway.send({
    apiKey: site.apiKey('main'),
    idempotencyKey: key,
    body: newBody(),
  });
  await lookUp(key);
  await lookUp(missing);
  const digest = (text: string): string => sha256(text).slice(0, 16);
  const path = `${REQUESTS_PATH}{key}`;
  const sent = await gateway.lineOf(json['tracking_id']);
  t.is(sent['key_digest'], digest(key));
  const found = await gateway.line(
    'request',
    (line) => line['path'] === path && line['key_digest'] === digest(key),
  );
  t.like(found, { level: 'debug', status: 200, tracking_id: json['tracking_id'], client: 'main' });
  const absent = await gateway.line('request', (line) => line['key_digest'] === digest(missing));
  t.like(absent, { level: 'info', status: 404, path, client: 'main' });
  t.false(gateway.process.stdout.includes('secret-'));
  const after = await scrape(gateway);
  const counted = (page: typeof after, status: string): number =>
    page.value('sms_other_requests_total', { status });
  t.is(counted(after, '404') - counted(before, '404'), 1);
});

test.serial(
  'log: a request that is refused before its key is looked at -> the digest of its key',
  async (t) => {
    const key = `secret-${randomUUID()}`;
    await gateway.send({ apiKey: 'nobody', idempotencyKey: `"${key}"`, body: newBody() });
    const digest = sha256(key).slice(0, 16);
    const line = await gateway.line('request', (candidate) => candidate['key_digest'] === digest);
    t.is(line['outcome'], 'unauthorized');
    t.is(asObject(line)['client'], undefined);
  },
);
