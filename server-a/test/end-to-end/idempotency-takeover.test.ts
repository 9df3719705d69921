import { createHash, randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

/** A lease of 3 × 100 + 300 + slack milliseconds, so that nobody waits long. */
const SHORT_LEASE = { REDIS_TIMEOUT_MS: '100', PUBLISH_TIMEOUT_MS: '300' };

const site = new Site({ clients: { main: {}, paid: {}, crashed: {}, free: {} } });
const gateway = await site.startGateway(SHORT_LEASE);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

const compact = (uuid: string): string => uuid.replaceAll('-', '');
const fingerprint = (body: unknown): string =>
  createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 10);

/** What a gateway leaves in Redis while it is at work on a key (see lua/idempotency_claim.lua). */
function claimRecord(id: string, body: unknown, leaseUntilMs: number, paid = 0): string {
  return `C${compact(id)}${fingerprint(body)}${paid}${String(leaseUntilMs).padStart(13, '0')}somebody-else`;
}

/** Writes a record, and returns the request for it. */
async function leave(client: string, record: (id: string, body: unknown) => string) {
  const [id, idempotencyKey, body] = [randomUUID(), randomUUID(), newBody()];
  await site.redis.set(site.recordKey(client, idempotencyKey), record(id, body), 'EX', 600);
  return { id, request: { apiKey: site.apiKey(client), idempotencyKey, body } };
}

test('takeover: a claim whose lease has ended -> taken over at once, under its tracking id', async (t) => {
  const before = (await scrape(gateway)).value('sms_idempotency_total', { outcome: 'taken_over' });
  const { id, request } = await leave('main', (i, body) => claimRecord(i, body, Date.now() - 1000));
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
  const { id, request } = await leave('main', (i, body) => claimRecord(i, body, Date.now() + 700));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.true(answer.tookMs > 400);
  await outbox.theOneWithText(request.body.text);
});

test('takeover: 20 twins wait for a dead claim -> one takes it over, the others replay', async (t) => {
  const { id, request } = await leave('main', (i, body) => claimRecord(i, body, Date.now() + 300));
  const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.send(request)));
  t.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  t.deepEqual([...new Set(answers.map(({ json }) => json['tracking_id']))], [id]);
  await outbox.theOneWithText(request.body.text);
});

test('takeover: a claim whose owner is long at work -> 500 within 3 s that names its tracking id', async (t) => {
  const { id, request } = await leave('main', (i, body) => claimRecord(i, body, Date.now() + 60_000));
  const answer = await gateway.send(request);
  t.is(answer.status, 500);
  t.is(answer.json['error_code'], 'INTERNAL_ERROR');
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  t.is(answer.json['tracking_id'], id);
  t.true(answer.tookMs < 3000);
  t.deepEqual(await outbox.withText(request.body.text), []);
});

test('takeover: a dead claim that is paid for -> not charged again', async (t) => {
  const { id, request } = await leave('paid', (i, body) => claimRecord(i, body, Date.now() - 1, 1));
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(await site.used('paid'), 0);
});

test('takeover: a key free again after a failure -> goes on under its tracking id, and is charged once', async (t) => {
  const { id, request } = await leave('free', (i, body) => `F${compact(i)}${fingerprint(body)}0`);
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(await site.used('free'), 1);
});

test('takeover: a gateway killed while it waits for a confirm -> another goes on under the same tracking id, with the unit that was paid', async (t) => {
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
  t.is(compact(String(answer.json['tracking_id'])), claim.slice(1, 33));
  const { envelope } = await outbox.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], answer.json['tracking_id']);
  t.is(await site.used('crashed'), 1);
  const again = await gateway.send(request);
  t.deepEqual(again.bytes, answer.bytes);
});

test('takeover: a crafted record of an accepted request -> replayed, with its tracking id', async (t) => {
  const { id, request } = await leave('main', (i, body) => `A${compact(i)}${fingerprint(body)}`);
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(answer.headers['idempotent-replayed'], 'true');
});
