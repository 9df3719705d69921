import { randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { answeredRecord, idOf, openRecord, type PlainBody } from '../support/records.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

/** A lease of 150 + 300 + 150 milliseconds and some slack, so that nobody waits long. */
const SHORT_LEASE = { REDIS_TIMEOUT_MS: '150', PUBLISH_TIMEOUT_MS: '300' };

const site = new Site({ clients: { main: {}, paid: {}, crashed: {} } });
const gateway = await site.startGateway(SHORT_LEASE);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

/** Writes a record, and returns the request for it. */
async function leave(client: string, record: (id: string, body: PlainBody) => string) {
  const [id, idempotencyKey, body] = [randomUUID(), randomUUID(), newBody()];
  await site.redis.set(site.recordKey(client, idempotencyKey), record(id, body), 'EX', 600);
  return { id, request: { apiKey: site.apiKey(client), idempotencyKey, body } };
}

test('takeover: a claim whose lease has ended -> taken over at once, under its tracking id', async (t) => {
  const before = (await scrape(gateway)).value('sms_idempotency_total', { outcome: 'taken_over' });
  const { id, request } = await leave('main', (i, body) => openRecord(i, body, Date.now() - 1000));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(answer.headers['idempotent-replayed'], undefined);
  const { envelope, message } = await outbox.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], id);
  t.is(message.properties.messageId, id);
  const again = await gateway.send(request);
  t.is(again.headers['idempotent-replayed'], 'true');
  t.deepEqual(again.bytes, answer.bytes);
  t.true((await scrape(gateway)).value('sms_idempotency_total', { outcome: 'taken_over' }) > before);
});

test('takeover: a claim whose lease ends soon -> waited for, then taken over under its tracking id', async (t) => {
  const { id, request } = await leave('main', (i, body) => openRecord(i, body, Date.now() + 700));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.true(answer.tookMs > 400);
  await outbox.theOneWithText(request.body.text);
});

test('takeover: 20 twins wait for a dead claim -> one takes it over, the others replay', async (t) => {
  const { id, request } = await leave('main', (i, body) => openRecord(i, body, Date.now() + 300));
  const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.send(request)));
  t.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  t.deepEqual([...new Set(answers.map(({ json }) => json['tracking_id']))], [id]);
  await outbox.theOneWithText(request.body.text);
});

test('takeover: a claim whose owner is long at work -> 500 within 3 s that names its tracking id', async (t) => {
  const { id, request } = await leave('main', (i, body) => openRecord(i, body, Date.now() + 60_000));
  const answer = await gateway.send(request);
  t.is(answer.status, 500);
  t.is(answer.json['error_code'], 'INTERNAL_ERROR');
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  t.is(answer.json['tracking_id'], id);
  t.true(answer.tookMs < 3000);
  t.deepEqual(await outbox.withText(request.body.text), []);
});

test("takeover: an open record whose lease is over -> its unit is the record's own, so nothing is charged", async (t) => {
  const { id, request } = await leave('paid', (i, body) => openRecord(i, body, Date.now() - 1));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(answer.headers['ratelimit'], undefined);
  t.is(await site.used('paid'), 0);
});

test('takeover: another body for an open record whose lease is over -> 500 unknown with Idempotency-Mismatch', async (t) => {
  const { id, request } = await leave('main', (i, body) => openRecord(i, body, Date.now() - 1));
  const answer = await gateway.send({ ...request, body: newBody() });
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  t.is(answer.json['tracking_id'], id);
  t.is(answer.headers['idempotency-mismatch'], 'true');
  t.is((await gateway.send(request)).status, 202);
});

test('takeover: a record of a version that nobody knows -> 500 unknown, and the record stays', async (t) => {
  const { request } = await leave('main', (i) => `9O${i}`);
  const answer = await gateway.send(request);
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  const record = await site.redis.get(site.recordKey('main', request.idempotencyKey));
  t.true(record?.startsWith('9O'));
  t.deepEqual(await outbox.withText(request.body.text), []);
});

test('takeover: a gateway killed while it waits for a confirm -> another goes on under the same tracking id, with the unit that was charged', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const doomed = await site.startGateway({
    ...SHORT_LEASE,
    PUBLISH_TIMEOUT_MS: '1000',
    RABBITMQ_URL: proxy.url,
  });
  const request = { apiKey: site.apiKey('crashed'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stall();
  const unanswered = t.throwsAsync(doomed.send(request));
  const record = site.recordKey('crashed', request.idempotencyKey);
  const claim = await waitFor('a claim', async () => (await site.redis.get(record)) ?? undefined);
  await waitFor('a unit taken', async () => (await site.used('crashed')) === 1);
  await doomed.kill();
  await unanswered;

  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], idOf(claim));
  const { envelope } = await outbox.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], answer.json['tracking_id']);
  t.is(await site.used('crashed'), 1);
  const again = await gateway.send(request);
  t.deepEqual(again.bytes, answer.bytes);
});

test('takeover: a crafted record of an accepted request -> replayed, with its tracking id', async (t) => {
  const { id, request } = await leave('main', (i, body) => answeredRecord(i, body));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(answer.headers['idempotent-replayed'], 'true');
});
