import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Gateway } from '../support/gateway.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const UNKNOWN = { accepted: 'unknown', retry: 'same_key' };

const site = new Site({ clients: { late: {}, lost: {}, never: {}, unkeyed: {}, twin: {} } });
const outbox = await site.startGateway().then(() => site.openOutbox());

test.after.always(() => site.close());

/** A gateway whose broker is behind a proxy of its own. */
async function behindProxy(): Promise<{ proxy: TcpProxy; gateway: Gateway }> {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  const gateway = await site.startGateway({
    RABBITMQ_URL: proxy.url,
    PUBLISH_TIMEOUT_MS: '400',
    REDIS_TIMEOUT_MS: '200',
  });
  return { proxy, gateway };
}

test('unknown outcome: the confirm comes late -> 500, then the 202 is replayed; one message, one unit', async (t) => {
  const { proxy, gateway } = await behindProxy();
  t.teardown(() => proxy.close());
  const request = { apiKey: site.apiKey('late'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stallAnswers();
  const failed = await gateway.send(request);
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], UNKNOWN);
  t.true(failed.tookMs > 350 && failed.tookMs < 1500);
  t.is(await site.used('late'), 1);

  proxy.resume();
  const line = await gateway.line('publish.settled_late');
  t.is(line['tracking_id'], failed.json['tracking_id']);
  const answer = await waitFor('a 202', async () => {
    const retried = await gateway.send(request);
    return retried.status === 202 && retried;
  });
  t.is(answer.json['tracking_id'], failed.json['tracking_id']);
  t.is(answer.headers['idempotent-replayed'], 'true');
  await outbox.theOneWithText(request.body.text);
  t.is(await site.used('late'), 1);
  t.is((await scrape(gateway)).value('sms_publish_total', { kind: 'sms', outcome: 'timed_out' }), 1);
});

test('unknown outcome: a retry while the confirm is awaited, which comes -> waits, and is given the 202', async (t) => {
  const { proxy, gateway } = await behindProxy();
  t.teardown(() => proxy.close());
  const request = { apiKey: site.apiKey('twin'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stallAnswers();
  t.is((await gateway.send(request)).status, 500);
  const retried = gateway.send(request);
  await gateway.line('request');
  proxy.resume();
  const answer = await retried;
  t.is(answer.status, 202);
  await outbox.theOneWithText(request.body.text);
  t.is(await site.used('twin'), 1);
});

test('unknown outcome: the connection is lost before the confirm -> 500; the retry keeps tracking id and unit', async (t) => {
  const { proxy, gateway } = await behindProxy();
  t.teardown(() => proxy.close());
  const request = { apiKey: site.apiKey('lost'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stallAnswers();
  const pending = gateway.send(request);
  await outbox.settled();
  await waitFor('the message', () =>
    outbox.received.some(({ envelope }) => envelope['text'] === request.body.text),
  );
  proxy.cut();
  proxy.resume();
  const failed = await pending;
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], UNKNOWN);

  await gateway.untilReady();
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], failed.json['tracking_id']);
  const messages = await outbox.withText(request.body.text);
  t.is(new Set(messages.map(({ envelope }) => envelope['tracking_id'])).size, 1);
  t.is(await site.used('lost'), 1);
});

test('unknown outcome: the connection is lost with the message unsent -> the retry is sent, one unit', async (t) => {
  const { proxy, gateway } = await behindProxy();
  t.teardown(() => proxy.close());
  const request = { apiKey: site.apiKey('never'), idempotencyKey: randomUUID(), body: newBody() };
  proxy.stall();
  const failed = await gateway.send(request);
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], UNKNOWN);
  proxy.cut();
  proxy.resume();
  await gateway.untilReady();
  const answer = await waitFor('a 202', async () => {
    const retried = await gateway.send(request);
    return retried.status === 202 && retried;
  });
  t.is(answer.json['tracking_id'], failed.json['tracking_id']);
  await outbox.theOneWithText(request.body.text);
  t.is(await site.used('never'), 1);
});

test('unknown outcome: no key -> the unit is kept, since the message may be in the broker', async (t) => {
  const { proxy, gateway } = await behindProxy();
  t.teardown(() => proxy.close());
  const body = newBody();
  proxy.stallAnswers();
  const failed = await gateway.send({ apiKey: site.apiKey('unkeyed'), body });
  t.is(failed.status, 500);
  t.deepEqual(failed.json['details'], UNKNOWN);
  proxy.resume();
  const { envelope } = await waitFor('the message', () =>
    outbox.received.find((received) => received.envelope['text'] === body.text),
  );
  t.is(envelope['tracking_id'], failed.json['tracking_id']);
  t.is(await site.used('unkeyed'), 1);
});
