import test from 'ava';
import { asList, asObject } from '../support/json.js';
import { onChannel } from '../support/outbox.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const quorum = new Site();
const classic = new Site({ variables: { RABBITMQ_QUEUE_TYPE: 'classic' } });
const gateway = await quorum.startGateway();
const onClassic = await classic.startGateway();

test.after.always(() => quorum.close());
test.after.always(() => classic.close());

/** Declares a queue as it should be: RabbitMQ refuses (406) when it exists with other properties. */
function declared(queue: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
  return onChannel((channel) => channel.assertQueue(queue, { durable: true, arguments: args }));
}

for (const [type, site] of [
  ['quorum', quorum],
  ['classic', classic],
] as const) {
  test(`queues: type ${type} -> outbound is durable and of it, with dead letters to <queue>.dead`, async (t) => {
    const { outboundQueue } = site;
    await t.notThrowsAsync(
      declared(outboundQueue, {
        'x-queue-type': type,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': `${outboundQueue}.dead`,
      }),
    );
    await t.notThrowsAsync(declared(`${outboundQueue}.dead`, { 'x-queue-type': type }));
    const other = type === 'quorum' ? 'classic' : 'quorum';
    await t.throwsAsync(declared(`${outboundQueue}.dead`, { 'x-queue-type': other }), { message: /406/ });
  });
}

test('queues: heartbeat -> durable, bounded in length and age', async (t) => {
  await t.notThrowsAsync(onChannel((channel) => channel.checkQueue(quorum.heartbeatQueue)));
  for (const [type, { heartbeatQueue }] of [
    ['quorum', quorum],
    ['classic', classic],
  ] as const) {
    const unbounded = declared(heartbeatQueue, { 'x-queue-type': type });
    await t.throwsAsync(unbounded, { message: /406.*(max-length|message-ttl)/ });
  }
});

test('queues: a heartbeat queue of other properties -> used as it is, and messages go on', async (t) => {
  const site = new Site();
  t.teardown(() => site.close());
  await declared(site.heartbeatQueue, { 'x-queue-type': 'classic' });
  const own = await site.startGateway();
  t.is((await own.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
  const heartbeat = await onChannel((channel) =>
    waitFor('a heartbeat', () => channel.get(site.heartbeatQueue, { noAck: true })),
  );
  t.is(heartbeat.properties.type, 'sms.heartbeat.v1');
});

test('queues: nobody consumes -> every message is there, in order', async (t) => {
  const site = new Site();
  t.teardown(() => site.close());
  const own = await site.startGateway();
  const ids: unknown[] = [];
  for (let i = 0; i < 5; i += 1) {
    ids.push((await own.send({ apiKey: site.apiKey('main'), body: newBody() })).json['tracking_id']);
  }
  const got = await onChannel(async (channel) => {
    const found: unknown[] = [];
    for (;;) {
      const message = await channel.get(site.outboundQueue, { noAck: true });
      if (message === false) return found;
      found.push(message.properties.messageId);
    }
  });
  t.deepEqual(got, ids);
});

for (const [type, site, asked] of [
  ['quorum', quorum, gateway],
  ['classic', classic, onClassic],
] as const) {
  test(`queues: a message past its TTL, type ${type} -> ends in <queue>.dead, as expired`, async (t) => {
    const body = { ...newBody(), ttl_seconds: 10 };
    const { json } = await asked.send({ apiKey: site.apiKey('main'), body });
    const dead = await onChannel((channel) =>
      waitFor('a dead letter', () => channel.get(`${site.outboundQueue}.dead`, { noAck: true }), {
        withinMs: 60_000,
        everyMs: 200,
      }),
    );
    t.is(dead.properties.messageId, json['tracking_id']);
    t.true(dead.content.toString('utf8').includes(body.text));
    const [death] = asList(dead.properties.headers?.['x-death']).map(asObject);
    t.is(death?.['reason'], 'expired');
    t.is(death?.['queue'], site.outboundQueue);
  });
}

test('queues: a message that the consumer rejects -> ends in <queue>.dead', async (t) => {
  const site = new Site();
  t.teardown(() => site.close());
  const own = await site.startGateway();
  const { json } = await own.send({ apiKey: site.apiKey('main'), body: newBody() });
  await onChannel(async (channel) => {
    const message = await waitFor('a message', () => channel.get(site.outboundQueue));
    channel.reject(message, false);
    const dead = await waitFor('a dead letter', () =>
      channel.get(`${site.outboundQueue}.dead`, { noAck: true }),
    );
    t.is(dead.properties.messageId, json['tracking_id']);
  });
});
