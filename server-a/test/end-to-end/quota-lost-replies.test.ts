/**
 * A unit that Redis took, and whose reply came too late or never: with a key it is undone; without one it is given back
 * when the reply comes, and stays counted where none comes.
 */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

async function start(t: ExecutionContext) {
  const site = new Site();
  const proxy = await startTcpProxy(REDIS_URL);
  t.teardown(() => site.close());
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({ REDIS_URL: proxy.url });
  const outbox = await site.openOutbox();
  return { site, proxy, gateway, outbox };
}

test('quota: with a key, the connection ends before the reply to the admission -> 500 unknown, and it is undone', async (t) => {
  const { site, proxy, gateway, outbox } = await start(t);
  const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stallAnswers();
  const answering = gateway.send(request);
  await waitFor('the charge', async () => (await site.used('main')) === 1);
  proxy.cut();
  proxy.resume();
  const answer = await answering;
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  await waitFor('the unit', async () => (await site.used('main')) === 0);
  t.is(await site.redis.exists(site.recordKey('main', request.idempotencyKey)), 0);
  t.deepEqual(await outbox.withText(request.body.text), []);
});

test('quota: with a key, the reply to the admission comes after the limit -> 500 unknown, and it is undone', async (t) => {
  const { site, proxy, gateway } = await start(t);
  proxy.stallAnswers();
  const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  const answer = await gateway.send(request);
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
  t.is(await site.used('main'), 1);
  proxy.resume();
  await waitFor('the unit', async () => (await site.used('main')) === 0);
});

test('quota: without a key, the connection ends before the reply to a charge -> 500 no, and the unit is kept', async (t) => {
  const { site, proxy, gateway, outbox } = await start(t);
  const body = newBody();
  proxy.stallAnswers();
  const answering = gateway.send({ apiKey: site.apiKey('main'), body });
  await waitFor('the charge', async () => (await site.used('main')) === 1);
  proxy.cut();
  proxy.resume();
  const answer = await answering;
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'no', retry: 'same_key' });
  await gateway.untilReady();
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
  t.is(await site.used('main'), 2);
  t.deepEqual(await outbox.withText(body.text), []);
});

test('quota: without a key, the reply to a charge comes after the limit -> 500 no, and the unit is given back', async (t) => {
  const { site, proxy, gateway, outbox } = await start(t);
  proxy.stallAnswers();
  const body = newBody();
  const answer = await gateway.send({ apiKey: site.apiKey('main'), body });
  t.is(answer.status, 500);
  t.deepEqual(answer.json['details'], { accepted: 'no', retry: 'same_key' });
  t.is(await site.used('main'), 1);
  proxy.resume();
  await waitFor('the unit', async () => (await site.used('main')) === 0);
  t.deepEqual(await outbox.withText(body.text), []);
});

test('quota: without a key, the reply comes while the gateway stands still for long -> the connection lasts, no unit is lost', async (t) => {
  const { site, proxy, gateway, outbox } = await start(t);
  proxy.stallAnswers();
  const body = newBody();
  const answering = gateway.send({ apiKey: site.apiKey('main'), body });
  await waitFor('the charge', async () => (await site.used('main')) === 1);
  gateway.process.signal('SIGSTOP');
  proxy.resume();
  // For longer than a silent connection lasts, and longer than the request has.
  await new Promise((resolve) => setTimeout(resolve, 3500));
  gateway.process.signal('SIGCONT');
  const answer = await answering;
  const sent = await outbox.withText(body.text);
  t.is(answer.status, sent.length === 1 ? 202 : 500);
  await waitFor('as many units as messages', async () => (await site.used('main')) === sent.length);
  t.false(gateway.log.some(({ message }) => message === 'redis.closed'));
});

test('quota: fifty charges lost at once, each retried with its key -> fifty messages, fifty units', async (t) => {
  const { site, proxy, gateway, outbox } = await start(t);
  const requests = Array.from({ length: 50 }, () => ({
    apiKey: site.apiKey('main'),
    idempotencyKey: randomUUID(),
    body: newBody(),
  }));
  const first = Promise.allSettled(requests.map((request) => gateway.send(request)));
  // Whatever is under way at that moment: claims, charges, stores.
  await waitFor('some charges', async () => (await site.used('main')) >= 5, { everyMs: 1 });
  proxy.cut();
  await first;
  for (const request of requests) {
    await waitFor('a 202', async () => (await gateway.send(request)).status === 202);
  }
  await waitFor('as many units as messages', async () => (await site.used('main')) === 50);
  await outbox.settled();
  t.is(new Set(outbox.received.map(({ envelope }) => envelope['tracking_id'])).size, 50);
});
