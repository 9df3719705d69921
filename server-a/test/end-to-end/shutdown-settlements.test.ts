/** What a shutdown does with the ends of attempts that are still to be written to Redis. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ clients: { held: {}, cut: {} } });

test.after.always(() => site.close());

test('shutdown: the broker frozen, a key held for its confirm -> the end of the attempt is written and logged; nobody is held up', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({ RABBITMQ_URL: proxy.url, PUBLISH_TIMEOUT_MS: '300' });
  proxy.stall();
  const request = { apiKey: site.apiKey('held'), idempotencyKey: randomUUID(), body: newBody() };
  const { status, json } = await gateway.send(request);
  t.is(status, 500);
  const { code } = await gateway.stop();
  t.is(code, 0);
  const record = (await site.redis.get(site.recordKey('held', request.idempotencyKey))) ?? '';
  t.true(record.startsWith('1O'), record);
  t.is(Number(record.slice(49, 62)), 0, 'the lease is over');
  const late = await gateway.line('publish.settled_late');
  t.deepEqual([late['outcome'], late['tracking_id']], ['connection_lost', json['tracking_id']]);
  t.is((await gateway.line('shutdown.done'))['settlements_given_up'], 0);
});

test('shutdown: it is cut short by a second signal while writes to Redis wait -> one line for each, with its tracking id and client', async (t) => {
  const [redis, rabbitmq] = await Promise.all([startTcpProxy(REDIS_URL), startTcpProxy(RABBITMQ_URL)]);
  for (const proxy of [redis, rabbitmq]) t.teardown(() => proxy.close());
  const gateway = await site.startGateway({
    REDIS_URL: redis.url,
    RABBITMQ_URL: rabbitmq.url,
    PUBLISH_TIMEOUT_MS: '5000',
  });
  rabbitmq.stallAnswers();
  const request = { apiKey: site.apiKey('cut'), idempotencyKey: randomUUID(), body: newBody() };
  const answering = gateway.send(request);
  // A heartbeat may wait beside it.
  await waitFor('the charge', async () => (await site.used('cut')) === 1);
  await waitFor('the publish', async () =>
    /sms_publish_in_flight [1-9]/.test((await gateway.ask('/metrics')).text),
  );
  redis.stall();
  rabbitmq.cut();
  const { json } = await answering;
  t.deepEqual(json['details'], { accepted: 'unknown', retry: 'same_key' });
  // Two signals, because one that is sent twice may arrive once.
  gateway.process.signal('SIGTERM');
  const { code } = await gateway.stop('SIGINT');
  t.is(code, 1);
  const messages = gateway.log.map(({ message }) => message);
  t.true(messages.includes('shutdown.forced'));
  const lines = gateway.log.filter(({ message }) => message === 'settlement.failed');
  t.deepEqual(
    lines.map(({ kind, tracking_id, client }) => [kind, tracking_id, client]),
    [['unknown', json['tracking_id'], 'cut']],
  );
});
