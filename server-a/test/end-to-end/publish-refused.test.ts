import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Gateway } from '../support/gateway.js';
import { firstHeartbeat, scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const REFUSED = { accepted: 'no', retry: 'same_key' };

const site = new Site({ clients: { main: {}, overloaded: {}, crowd: {} } });
/** With lives of a year, so that no key's epoch ends within a test. */
const YEARLY = { IDEMPOTENCY_TTL_SECONDS: '31536000' };
const gateway = await site.startGateway(YEARLY);
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** A gateway that has Redis, but no broker. */
async function withoutBroker(): Promise<Gateway> {
  const cutOff = await site.startGateway(
    { RABBITMQ_URL: 'amqp://guest:guest@127.0.0.1:1/' },
    { untilReady: false },
  );
  await cutOff.line('redis.ready');
  return cutOff;
}

test('refused: the outbound queue was deleted -> 500, refunded, not stored; it is made anew, and the key can be sent', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const server = await own.startGateway();
  const consumer = await own.openOutbox();
  const request = { apiKey: own.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  await consumer.deleteQueue();

  const failed = await server.send(request);
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], REFUSED);
  t.is(failed.headers['idempotent-replayed'], undefined);
  t.is(await own.used('main'), 0);
  t.is((await scrape(server)).value('sms_publish_total', { kind: 'sms', outcome: 'returned' }), 1);

  const answer = await waitFor('an accepted retry', async () => {
    const retried = await server.send(request);
    return retried.status === 202 && retried;
  });
  t.is(answer.headers['idempotent-replayed'], undefined);
  t.is(failed.json['tracking_id'], undefined);
  await consumer.consume();
  const { envelope } = await consumer.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], answer.json['tracking_id']);
  t.is(await own.used('main'), 1);
});

test('refused: the outbound queue was deleted, no key -> 500 and refunded', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const server = await own.startGateway();
  const consumer = await own.openOutbox();
  await consumer.deleteQueue();
  t.is((await server.send({ apiKey: own.apiKey('main'), body: newBody() })).status, 500);
  t.is(await own.used('main'), 0);
});

test('refused: no broker -> 500 at once, not stored; another gateway accepts the key', async (t) => {
  const cutOff = await withoutBroker();
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const failed = await cutOff.send(request);
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], REFUSED);
  t.true(failed.tookMs < 1000);
  const failedAgain = await cutOff.send(request);
  t.is(failedAgain.status, 500);
  t.is(failedAgain.headers['idempotent-replayed'], undefined);
  t.is(failedAgain.json['tracking_id'], undefined);

  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  await outbox.theOneWithText(request.body.text);
});

test('refused: no broker, the key is answered -> replayed without any broker', async (t) => {
  const cutOff = await withoutBroker();
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const accepted = await gateway.send(request);
  const replayed = await cutOff.send(request);
  t.is(replayed.status, 202);
  t.is(replayed.headers['idempotent-replayed'], 'true');
  t.deepEqual(replayed.bytes, accepted.bytes);
});

test('refused: the body corrected after a 500 that sent nothing -> accepted as it is now', async (t) => {
  const cutOff = await withoutBroker();
  const idempotencyKey = randomUUID();
  t.is((await cutOff.send({ apiKey, idempotencyKey, body: newBody() })).status, 500);
  const body = newBody();
  const answer = await gateway.send({ apiKey, idempotencyKey, body });
  t.is(answer.status, 202);
  t.is(answer.headers['idempotency-mismatch'], undefined);
  await outbox.theOneWithText(body.text);
});

test('refused: MAX_IN_FLIGHT messages wait for a silent broker -> the next is refused at once, not charged', async (t) => {
  t.timeout(100_000);
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const full = await site.startGateway({
    RABBITMQ_URL: proxy.url,
    MAX_IN_FLIGHT: '3',
    PUBLISH_TIMEOUT_MS: '1500',
  });
  const overloaded = site.apiKey('overloaded');
  await firstHeartbeat(full);
  proxy.stall();
  const waiting = Array.from({ length: 3 }, () => full.send({ apiKey: overloaded, body: newBody() }));
  // Not by the page of metrics: pages keep a distance, and the publishes have 1.5 s.
  await waitFor('three charged', async () => (await site.used('overloaded')) === 3);
  // By its answer, the replies to the charges have been read.
  await full.ask('/healthz');
  const request = { apiKey: overloaded, idempotencyKey: randomUUID(), body: newBody() };
  const refused = await full.send(request);
  t.is(refused.status, 500);
  t.deepEqual(refused.json['details'], REFUSED);
  t.true(refused.tookMs < 1000);
  t.is(await site.used('overloaded'), 3);
  for (const answer of await Promise.all(waiting)) {
    t.is(answer.status, 500);
    t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  }
  proxy.resume();
  await waitFor('an accepted retry', async () => {
    const retried = await full.send(request);
    return retried.status === 202 && retried;
  });
  t.is(refused.json['tracking_id'], undefined);
  t.is(await site.used('overloaded'), 4);
});

test('refused: 300 at once with MAX_IN_FLIGHT 1 -> each is 202 or 500, and the counter equals the messages', async (t) => {
  const narrow = await site.startGateway({ MAX_IN_FLIGHT: '1' });
  const crowd = site.apiKey('crowd');
  const answers = await Promise.all(
    Array.from({ length: 300 }, () => narrow.send({ apiKey: crowd, body: newBody() })),
  );
  const accepted = answers.filter(({ status }) => status === 202).length;
  t.true(accepted >= 1);
  t.true(answers.every(({ status }) => status === 202 || status === 500));
  await outbox.settled();
  const sent = outbox.received.filter(({ envelope }) => envelope['client_key'] === crowd);
  t.is(sent.length, accepted);
  await waitFor('all refunds', async () => (await site.used('crowd')) === accepted);
});
