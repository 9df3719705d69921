import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { Outbox, onChannel } from '../support/outbox.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-rabbitmq-'));
const server = await startRabbitMqServer({ dataDir: folder });
const site = new Site({ clients: { main: {}, blocked: {}, restarted: {} } });
const gateway = await site.startGateway({ RABBITMQ_URL: server.url });

test.after.always(async () => {
  await site.close();
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

test.serial(
  'rabbitmq: no memory left, publishers blocked -> 500 at once and not charged, /readyz says so; then as before',
  async (t) => {
    const apiKey = site.apiKey('blocked');
    const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
    await server.ctl('set_vm_memory_high_watermark', '0.0001');
    // The broker tells a connection that it is blocked when it next publishes.
    const unready = await waitFor('blocked', async () => {
      await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
      const answer = await gateway.ask('/readyz');
      return answer.text.includes('blocked by the broker') && answer;
    });
    t.is(unready.status, 503);
    const failed = await gateway.send(request);
    t.is(failed.status, 500);
    t.deepEqual(failed.json['details'], { accepted: 'no', retry: 'same_key' });
    t.true(failed.tookMs < 1000);
    t.is(await site.used('blocked'), 0);
    await gateway.line('rabbitmq.blocked');

    await server.ctl('set_vm_memory_high_watermark', '0.6');
    await gateway.untilReady();
    const answer = await gateway.send(request);
    t.is(answer.status, 202);
    t.is(failed.json['tracking_id'], undefined);
    t.is(await site.used('blocked'), 1);
  },
);

test.serial(
  'rabbitmq: killed and started again -> accepted messages are still there, requests go on without a restart',
  async (t) => {
    const apiKey = site.apiKey('restarted');
    const before = newBody();
    t.is((await gateway.send({ apiKey, body: before })).status, 202);
    await server.kill();
    const unready = await waitFor('not ready', async () => {
      const answer = await gateway.ask('/readyz');
      return answer.status === 503 && answer;
    });
    t.regex(unready.text, /"redis":"ok"/);
    const failed = await gateway.send({ apiKey, body: newBody() });
    t.is(failed.status, 500);
    t.true(failed.tookMs < 1000);
    t.is(await site.used('restarted'), 1);

    await server.start();
    await gateway.untilReady({ withinMs: 30_000 });
    const after = newBody();
    t.is((await gateway.send({ apiKey, body: after })).status, 202);
    const outbox = await Outbox.open(site.outboundQueue, server.url);
    t.teardown(() => outbox.close());
    await waitFor('both messages', () => {
      const texts = outbox.received.map(({ envelope }) => envelope['text']);
      return texts.includes(before.text) && texts.includes(after.text);
    });
  },
);

test.serial(
  'rabbitmq: the outbound queue exists with other properties -> not ready, and ready when it is gone',
  async (t) => {
    const own = new Site({ variables: { RABBITMQ_URL: server.url } });
    t.teardown(() => own.close());
    await onChannel((channel) => channel.assertQueue(own.outboundQueue, { durable: true }), server.url);
    const asked = await own.startGateway({}, { untilReady: false });
    await asked.line('rabbitmq.connect_failed');
    t.is((await asked.ask('/readyz')).status, 503);
    t.is((await asked.send({ apiKey: own.apiKey('main'), body: newBody() })).status, 500);
    await onChannel((channel) => channel.deleteQueue(own.outboundQueue), server.url);
    await asked.untilReady();
    t.is((await asked.send({ apiKey: own.apiKey('main'), body: newBody() })).status, 202);
  },
);
