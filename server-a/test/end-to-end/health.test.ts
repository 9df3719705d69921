import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Gateway } from '../support/gateway.js';
import type { JsonObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ clients: { main: {}, closed: {} } });
const apiKey = site.apiKey('main');
const gateway = await site.startGateway();
const outbox = await site.openOutbox();

test.after.always(() => site.close());

/** Waits until `/readyz` says 503 for exactly this reason, and returns its body. */
function untilNotReady(asked: Gateway, broken: 'redis' | 'rabbitmq'): Promise<JsonObject> {
  return waitFor(`a gateway without ${broken}`, async () => {
    const { status, json, text } = await asked.ask('/readyz');
    const other = broken === 'redis' ? 'rabbitmq' : 'redis';
    return status === 503 && text.includes(`"${other}":"ok"`) && !text.includes(`"${broken}":"ok"`) && json;
  });
}

test('healthz: a running gateway -> 200', async (t) => {
  const { status, json } = await gateway.ask('/healthz');
  t.is(status, 200);
  t.deepEqual(json, { status: 'ok' });
  t.is((await gateway.ask('/healthz', 'HEAD')).status, 200);
});

test('readyz: Redis and RabbitMQ there -> 200, each ok', async (t) => {
  const { status, json, headers } = await gateway.ask('/readyz');
  t.is(status, 200);
  t.deepEqual(json, { status: 'ready', checks: { redis: 'ok', rabbitmq: 'ok' } });
  t.is(headers['cache-control'], 'no-store');
  const page = await scrape(gateway);
  t.is(page.value('sms_dependency_ready', { service: 'redis' }), 1);
  t.is(page.value('sms_dependency_ready', { service: 'rabbitmq' }), 1);
});

test('readyz: the outbound queue was deleted -> made anew, messages flow', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  const consumer = await own.openOutbox();
  await consumer.deleteQueue();
  await asked.untilReady();
  const body = newBody();
  t.is((await asked.send({ apiKey: own.apiKey('main'), body })).status, 202);
  await consumer.consume();
  await consumer.theOneWithText(body.text);
});

test('redis away: connection refused -> /readyz says so, requests 500 within 3 s and unsent, recovery without a restart', async (t) => {
  const proxy = await startTcpProxy(REDIS_URL);
  t.teardown(() => proxy.close());
  const asked = await site.startGateway({ REDIS_URL: proxy.url });
  await proxy.refuse();
  t.is((await untilNotReady(asked, 'redis'))['status'], 'not_ready');
  t.is((await asked.ask('/healthz')).status, 200);

  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const unkeyed = { apiKey, body: newBody() };
  // Of a key only Redis could say that it is not open.
  for (const [question, accepted] of [
    [request, 'unknown'],
    [unkeyed, 'no'],
  ] as const) {
    const failed = await asked.send(question);
    t.is(failed.status, 500);
    t.deepEqual(failed.json['details'], { accepted, retry: 'same_key' });
    t.true(failed.tookMs < 3000);
    t.deepEqual(await outbox.withText(question.body.text), []);
  }

  await proxy.accept();
  await asked.untilReady();
  t.is((await asked.send(request)).status, 202);
  await outbox.theOneWithText(request.body.text);
});

test('redis frozen: connections open, no answers -> requests 500 within 3 s, /readyz 503 within 3 s, then as before', async (t) => {
  const proxy = await startTcpProxy(REDIS_URL);
  t.teardown(() => proxy.close());
  const asked = await site.startGateway({ REDIS_URL: proxy.url });
  proxy.stall();
  const body = newBody();
  const [failed, ready] = await Promise.all([asked.send({ apiKey, body }), asked.ask('/readyz')]);
  t.is(failed.status, 500);
  t.true(failed.tookMs < 3000);
  t.is(ready.status, 503);
  t.true(ready.tookMs < 3000);
  t.deepEqual(await outbox.withText(body.text), []);
  proxy.resume();
  await asked.untilReady();
  t.is((await asked.send({ apiKey, body: newBody() })).status, 202);
});

test('rabbitmq away: connection refused -> /readyz says so, requests 500 at once, recovery without a restart', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const asked = await site.startGateway({ RABBITMQ_URL: proxy.url });
  await proxy.refuse();
  t.is((await untilNotReady(asked, 'rabbitmq'))['status'], 'not_ready');
  t.is((await asked.ask('/healthz')).status, 200);
  const failed = await asked.send({ apiKey: site.apiKey('closed'), body: newBody() });
  t.is(failed.status, 500);
  t.true(failed.tookMs < 1000);
  t.is(await site.used('closed'), 0);

  await proxy.accept();
  await asked.untilReady();
  const body = newBody();
  t.is((await asked.send({ apiKey, body })).status, 202);
  await outbox.theOneWithText(body.text);
});

test('rabbitmq frozen: connections open, no answers -> /readyz 503 within 3 s, then as before', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const asked = await site.startGateway({ RABBITMQ_URL: proxy.url });
  proxy.stall();
  const { status, tookMs, json } = await asked.ask('/readyz');
  t.is(status, 503);
  t.deepEqual(json['checks'], { redis: 'ok', rabbitmq: 'no answer' });
  t.true(tookMs < 3000);
  proxy.resume();
  await asked.untilReady();
  t.is((await asked.send({ apiKey, body: newBody() })).status, 202);
});

test('start: neither Redis nor RabbitMQ -> listens, is not ready, and becomes ready when they come', async (t) => {
  const redis = await startTcpProxy(REDIS_URL, { accepting: false });
  const rabbitmq = await startTcpProxy(RABBITMQ_URL, { accepting: false });
  t.teardown(() => redis.close());
  t.teardown(() => rabbitmq.close());
  const asked = await site.startGateway(
    { REDIS_URL: redis.url, RABBITMQ_URL: rabbitmq.url },
    { untilReady: false },
  );
  t.is((await asked.ask('/healthz')).status, 200);
  const { status, json } = await asked.ask('/readyz');
  t.is(status, 503);
  t.deepEqual(json['checks'], { redis: 'not connected', rabbitmq: 'not connected' });
  await redis.accept();
  await untilNotReady(asked, 'rabbitmq');
  await rabbitmq.accept();
  await asked.untilReady();
  t.is((await asked.send({ apiKey, body: newBody() })).status, 202);
});
