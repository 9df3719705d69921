import { randomUUID } from 'node:crypto';
import test from 'ava';
import { newBody, Site } from '../support/site.js';

const site = new Site({ clients: { main: {}, spent: { daily_quota: 0 }, single: { daily_quota: 1 } } });
const gateway = await site.startGateway();
const withoutProviders = await site.startGateway({
  PROVIDERS_CONFIG: '{"Off":{"is_active":false,"is_operational":false}}',
});
const withoutServices = await site.startGateway(
  { REDIS_URL: 'redis://127.0.0.1:1/0', RABBITMQ_URL: 'amqp://127.0.0.1:1/' },
  { untilReady: false },
);
const apiKey = site.apiKey('main');
const spent = site.apiKey('spent');

test.after.always(() => site.close());

test('order: a wrong API key and a body that is not JSON -> 401', async (t) => {
  t.is((await gateway.send({ apiKey: 'wrong', body: '{"to":' })).status, 401);
});

test('order: a wrong API key and another media type, or too large a body -> 401', async (t) => {
  const headers = { 'Content-Type': 'text/plain' };
  t.is((await gateway.send({ apiKey: 'wrong', body: 'x', headers })).status, 401);
  t.is((await gateway.send({ apiKey: 'wrong', body: 'x'.repeat(40_000) })).status, 401);
});

test('order: a wrong API key and an invalid idempotency key -> 401', async (t) => {
  t.is((await gateway.send({ apiKey: 'wrong', idempotencyKey: 'not visible', body: newBody() })).status, 401);
});

test('order: an invalid body and a disabled provider -> 400', async (t) => {
  t.is((await gateway.send({ apiKey, body: { to: '123', text: 'x', providers: ['Gamma'] } })).status, 400);
});

test('order: an invalid body and no provider available -> 400', async (t) => {
  t.is((await withoutProviders.send({ apiKey, body: {} })).status, 400);
});

test('order: an invalid body and quota used up -> 400', async (t) => {
  t.is((await gateway.send({ apiKey: spent, body: {} })).status, 400);
});

test('order: a disabled provider and quota used up -> 409', async (t) => {
  t.is((await gateway.send({ apiKey: spent, body: { ...newBody(), providers: ['Gamma'] } })).status, 409);
});

test('order: an unknown provider and quota used up -> 422', async (t) => {
  t.is((await gateway.send({ apiKey: spent, body: { ...newBody(), providers: ['Nobody'] } })).status, 422);
});

test('order: no provider available and quota used up -> 503', async (t) => {
  t.is((await withoutProviders.send({ apiKey: spent, body: newBody() })).status, 503);
});

test('order: one provider unknown and one disabled -> 422', async (t) => {
  const body = { ...newBody(), providers: ['Gamma', 'Nobody'] };
  t.is((await gateway.send({ apiKey, body })).status, 422);
});

test('order: a key whose answer is known, and quota used up since -> the answer again', async (t) => {
  const single = site.apiKey('single');
  const [body, idempotencyKey] = [newBody(), randomUUID()];
  const first = await gateway.send({ apiKey: single, idempotencyKey, body });
  t.is(first.status, 202);
  t.is((await gateway.send({ apiKey: single, body: newBody() })).status, 429);

  const again = await gateway.send({ apiKey: single, idempotencyKey, body });
  t.is(again.status, 202);
  t.deepEqual(again.bytes, first.bytes);
});

test('order: a key whose answer is known, and providers disabled since -> the answer again', async (t) => {
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const first = await gateway.send(request);
  const again = await withoutProviders.send(request);
  t.is(again.status, 202);
  t.deepEqual(again.bytes, first.bytes);
});

test('order: an invalid idempotency key and an invalid body -> 400 that names the key', async (t) => {
  const { status, text } = await gateway.send({ apiKey, idempotencyKey: 'two words', body: '{' });
  t.is(status, 400);
  t.true(text.includes('"Idempotency-Key"'));
});

test('order: neither Redis nor RabbitMQ -> 401, 400, 409, 422 as ever for requests without a key', async (t) => {
  t.is((await withoutServices.send({ body: newBody() })).status, 401);
  t.is((await withoutServices.send({ apiKey, body: {} })).status, 400);
  t.is((await withoutServices.send({ apiKey, body: { ...newBody(), providers: ['Gamma'] } })).status, 409);
  t.is((await withoutServices.send({ apiKey, body: { ...newBody(), providers: ['Nobody'] } })).status, 422);
  t.is((await withoutServices.send({ apiKey, body: newBody() })).status, 500);
});
