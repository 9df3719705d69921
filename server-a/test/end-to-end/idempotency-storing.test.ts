import { randomUUID } from 'node:crypto';
import test from 'ava';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ clients: { unstored: {}, shortlived: {}, refused: {}, vanished: {} } });
const gateway = await site.startGateway();
/** With lives of a year, so that no key's epoch ends within a test. */
const yearly = await site.startGateway({ IDEMPOTENCY_TTL_SECONDS: '31536000' });
const outbox = await site.openOutbox();

test.after.always(() => site.close());

test('storing: Redis falls silent while the confirm is awaited -> 202 all the same, and replayed once Redis is back', async (t) => {
  const redis = await startTcpProxy(REDIS_URL);
  const rabbitmq = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => redis.close());
  t.teardown(() => rabbitmq.close());
  const asked = await site.startGateway({
    REDIS_URL: redis.url,
    RABBITMQ_URL: rabbitmq.url,
    PUBLISH_TIMEOUT_MS: '3000',
    REDIS_TIMEOUT_MS: '200',
  });
  const request = { apiKey: site.apiKey('unstored'), idempotencyKey: randomUUID(), body: newBody() };
  rabbitmq.stallAnswers();
  const pending = asked.send(request);
  await waitFor('the message', async () => (await outbox.withText(request.body.text)).length === 1);
  redis.stall();
  rabbitmq.resume();
  const answer = await pending;
  t.is(answer.status, 202);

  redis.resume();
  await asked.untilReady();
  const again = await waitFor('a replay', async () => {
    const got = await asked.send(request);
    return got.status === 202 && got;
  });
  t.deepEqual(again.bytes, answer.bytes);
  const messages = await outbox.withText(request.body.text);
  t.deepEqual(
    [...new Set(messages.map(({ envelope }) => envelope['tracking_id']))],
    [answer.json['tracking_id']],
  );
});

test('storing: IDEMPOTENCY_TTL_SECONDS shorter than the request takes -> a twin still waits, one tracking id', async (t) => {
  const rabbitmq = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => rabbitmq.close());
  const asked = await site.startGateway({
    RABBITMQ_URL: rabbitmq.url,
    IDEMPOTENCY_TTL_SECONDS: '1',
    PUBLISH_TIMEOUT_MS: '4000',
  });
  const request = { apiKey: site.apiKey('shortlived'), idempotencyKey: randomUUID(), body: newBody() };
  rabbitmq.stallAnswers();
  const first = asked.send(request);
  await waitFor('the message', async () => (await outbox.withText(request.body.text)).length === 1);
  const record = site.recordKey('shortlived', request.idempotencyKey);
  // The record must outlive its TTL while its owner is at work: give it the time to vanish.
  await waitFor('its end', async () => (await site.redis.exists(record)) === 0, { withinMs: 1300 }).catch(
    () => {},
  );
  const second = asked.send(request);
  await waitFor('the twin at Redis', async () => (await site.redis.exists(record)) === 1);
  rabbitmq.resume();
  const [one, other] = await Promise.all([first, second]);
  t.is(one.status, 202);
  t.is(other.text, one.text);
  await outbox.theOneWithText(request.body.text);
});

test('storing: the record vanished from Redis -> sent again under the same tracking id', async (t) => {
  const request = { apiKey: site.apiKey('vanished'), idempotencyKey: randomUUID(), body: newBody() };
  const first = await yearly.send(request);
  await site.redis.del(site.recordKey('vanished', request.idempotencyKey));
  const second = await yearly.send(request);
  t.is(second.status, 202);
  t.is(second.headers['idempotent-replayed'], undefined);
  t.is(second.json['tracking_id'], first.json['tracking_id']);
});

test('storing: a value of Redis that no gateway wrote -> 500, nothing internal shown', async (t) => {
  const request = { apiKey: site.apiKey('refused'), idempotencyKey: randomUUID(), body: newBody() };
  await site.redis.lpush(site.recordKey('refused', request.idempotencyKey), 'x');
  const { status, text } = await gateway.send(request);
  t.is(status, 500);
  t.notRegex(text, /WRONGTYPE|redis|script|lua/i);
  t.deepEqual(await outbox.withText(request.body.text), []);
});
