/**
 * Batches while Redis, the broker or a gateway fails: the truth of each item, and what retries make of it.
 *
 * Over 250 lines: a list, one test for each failure.
 */
import { randomUUID } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type ItemResult, itemsOf, resultsOf } from '../support/batches.js';
import type { Gateway } from '../support/gateway.js';
import { scrape } from '../support/metrics-page.js';
import { BATCH_PATH } from '../support/paths.js';
import { Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const CLIENTS = [
  ...['redis', 'unstored', 'broker', 'away', 'mixed', 'slow', 'slots', 'ending', 'faulty', 'half', 'held'],
] as const;
const site = new Site({ clients: Object.fromEntries(CLIENTS.map((name) => [name, {}])) });
const outbox = await site.startGateway().then(() => site.openOutbox());
const UNKNOWN = { accepted: 'unknown', retry: 'same_key' };
const NO = { accepted: 'no', retry: 'same_key' };
/** A machine that is busy has three minutes. */
const PATIENT = { withinMs: 60_000 };

test.after.always(() => site.close());

type Item = ReturnType<typeof itemsOf>[number];
type Client = (typeof CLIENTS)[number];

const send = (gateway: Gateway, client: Client, messages: readonly unknown[]) =>
  gateway.sendBatch({ apiKey: site.apiKey(client), body: { messages } });

/** A gateway with one of its services behind a proxy. */
async function behindProxy(
  t: ExecutionContext,
  service: 'REDIS_URL' | 'RABBITMQ_URL',
  variables: Readonly<Record<string, string>> = {},
) {
  const proxy = await startTcpProxy(service === 'REDIS_URL' ? REDIS_URL : RABBITMQ_URL);
  t.teardown(() => proxy.close());
  return { proxy, gateway: await site.startGateway({ [service]: proxy.url, ...variables }) };
}

/** Sends items again until each is accepted, as a good sender does: only those that are not yet. */
async function untilAccepted(gateway: Gateway, client: Client, items: readonly Item[]) {
  const accepted = new Map<string, ItemResult>();
  await waitFor(
    'all accepted',
    async () => {
      const left = items.filter(({ idempotency_key: key }) => !accepted.has(key));
      const results = resultsOf(await send(gateway, client, left));
      for (const result of results) if (result.status === 202) accepted.set(String(result.key), result);
      return accepted.size === items.length;
    },
    PATIENT,
  );
  return items.map(({ idempotency_key: key }) => accepted.get(key)?.body['tracking_id']);
}

/** Each item has its one message, or several of one id, under this id. */
async function checkSent(t: ExecutionContext, items: readonly Item[], ids: readonly unknown[]) {
  await outbox.settled();
  for (const [index, { text }] of items.entries()) {
    const sent = await outbox.withText(text);
    t.deepEqual([...new Set(sent.map(({ envelope }) => envelope['tracking_id']))], [ids[index]]);
  }
}

const detailsOf = (results: readonly ItemResult[]) => results.map(({ body }) => body['details']);

test('redis: it hangs as a batch is admitted -> each item unknown; all is undone, and sent by the retry', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'REDIS_URL', { REDIS_TIMEOUT_MS: '300' });
  const items = itemsOf(20);
  proxy.stallAnswers();
  const results = resultsOf(await send(gateway, 'redis', items));
  t.deepEqual(
    detailsOf(results),
    items.map(() => UNKNOWN),
  );
  proxy.resume();
  await waitFor('the undoing', async () => (await site.used('redis')) === 0, PATIENT);
  t.is(await site.redis.exists(items.map(({ idempotency_key: key }) => site.recordKey('redis', key))), 0);
  await gateway.untilReady();
  await checkSent(t, items, await untilAccepted(gateway, 'redis', items));
  t.is(await site.used('redis'), 20);
});

test('redis: lost between publish and confirm -> each item 202 all the same; stored when Redis is back', async (t) => {
  const redis = await behindProxy(t, 'REDIS_URL', { REDIS_TIMEOUT_MS: '300' });
  const broker = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => broker.close());
  const gateway = await site.startGateway({
    REDIS_URL: redis.proxy.url,
    RABBITMQ_URL: broker.url,
    REDIS_TIMEOUT_MS: '300',
  });
  const items = itemsOf(20);
  broker.stallAnswers();
  const pending = send(gateway, 'unstored', items);
  await waitFor('all charged', async () => (await site.used('unstored')) === 20);
  await redis.proxy.refuse();
  broker.resume();
  const results = resultsOf(await pending);
  t.deepEqual([...new Set(results.map(({ status }) => status))], [202]);
  await redis.proxy.accept();
  const again = await waitFor(
    'all stored',
    async () => {
      const found = resultsOf(await send(gateway, 'unstored', items));
      return found.every(({ replayed }) => replayed) && found;
    },
    PATIENT,
  );
  t.deepEqual(
    again.map(({ body }) => body),
    results.map(({ body }) => body),
  );
  t.is(await site.used('unstored'), 20);
});

test('broker: lost with a batch in flight -> each item its own truth; retries keep ids and units', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL');
  const [before, ...items] = itemsOf(20);
  if (before === undefined) throw new Error('no item');
  const [first] = resultsOf(await send(gateway, 'broker', [before]));
  proxy.stallAnswers();
  const faulty = { ...before, idempotency_key: randomUUID(), to: '1' };
  const pending = send(gateway, 'broker', [before, faulty, ...items]);
  await waitFor('the messages', async () => {
    await outbox.settled();
    return items.every(({ text }) => outbox.received.some(({ envelope }) => envelope['text'] === text));
  });
  proxy.cut();
  proxy.resume();
  const [replayed, refused, ...lost] = resultsOf(await pending);
  t.deepEqual([replayed?.status, replayed?.replayed, replayed?.body], [202, true, first?.body]);
  t.is(refused?.status, 400);
  t.deepEqual(
    detailsOf(lost),
    items.map(() => UNKNOWN),
  );
  await gateway.untilReady();
  const ids = await untilAccepted(gateway, 'broker', items);
  t.deepEqual(
    ids,
    lost.map(({ body }) => body['tracking_id']),
  );
  await checkSent(t, items, ids);
  t.is(await site.used('broker'), 20);
});

test('broker: away -> new items certainly not accepted, answered ones replayed; nothing is charged', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL');
  const [before, ...items] = itemsOf(10);
  await send(gateway, 'away', [before]);
  await proxy.refuse();
  await gateway.line('rabbitmq.disconnected');
  const [replayed, ...others] = resultsOf(await send(gateway, 'away', [before, ...items]));
  t.is(replayed?.status, 202);
  t.deepEqual(
    detailsOf(others),
    items.map(() => NO),
  );
  t.true(others.every(({ retryAfter }) => retryAfter === 1));
  t.is(await site.used('away'), 1);
  await proxy.accept();
  await gateway.untilReady();
  await checkSent(t, items, await untilAccepted(gateway, 'away', items));
  t.is(await site.used('away'), 10);
});

test('broker: no confirm in time -> each item unknown and held; a late confirm is the answer of all', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL', { PUBLISH_TIMEOUT_MS: '300' });
  const items = itemsOf(10);
  proxy.stallAnswers();
  const late = resultsOf(await send(gateway, 'held', items));
  t.deepEqual(
    detailsOf(late),
    items.map(() => UNKNOWN),
  );
  proxy.resume();
  const results = await waitFor('late answers', async () => {
    const found = resultsOf(await send(gateway, 'held', items));
    return found.every(({ status }) => status === 202) && found;
  });
  t.deepEqual(
    results.map(({ body }) => body['tracking_id']),
    late.map(({ body }) => body['tracking_id']),
  );
  for (const { text } of items) await outbox.theOneWithText(text);
  t.is(await site.used('held'), 10);
});

test('broker: it takes 200 ms for each word -> 100 messages of 1,000 characters are accepted within the one deadline', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL');
  const items = itemsOf(100).map((item) => ({
    ...item,
    text: `${item.text} ${'€'.repeat(1000)}`.slice(0, 1000),
  }));
  proxy.delay(100);
  const answer = await send(gateway, 'slow', items);
  const results = resultsOf(answer);
  t.deepEqual([...new Set(results.map(({ status }) => status))], [202]);
  t.true(answer.tookMs > 200);
  proxy.delay(0);
  for (const { text } of items) await outbox.theOneWithText(text);
  t.is(await site.used('slow'), 100);
});

test('slots: more items than may be in flight -> refused item by item; the retries get through', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL', { MAX_IN_FLIGHT: '30' });
  await waitFor(
    'a heartbeat',
    async () => (await scrape(gateway)).value('sms_heartbeats_total', { outcome: 'sent' }) >= 1,
    PATIENT,
  );
  const items = itemsOf(100);
  proxy.stallAnswers();
  const pending = send(gateway, 'slots', items);
  // By what has come to the broker: pages of metrics keep a distance, and the publishes have 2 s.
  const texts = new Set(items.map(({ text }) => text));
  const inFlight = () => outbox.received.filter(({ envelope }) => texts.has(String(envelope['text'])));
  await waitFor('four fifths in flight', () => inFlight().length === 24);
  proxy.resume();
  const results = resultsOf(await pending);
  t.deepEqual(
    results.map(({ status }) => status),
    items.map((_item, index) => (index < 24 ? 202 : 500)),
  );
  t.deepEqual(
    detailsOf(results.slice(24)),
    items.slice(24).map(() => NO),
  );
  t.is(await site.used('slots'), 24);
  await checkSent(t, items, await untilAccepted(gateway, 'slots', items));
  t.is(await site.used('slots'), 100);
});

test('shutdown: within a batch -> it is answered in whole, and stored', async (t) => {
  const { proxy, gateway } = await behindProxy(t, 'RABBITMQ_URL');
  const items = itemsOf(50);
  proxy.stallAnswers();
  const pending = send(gateway, 'ending', items);
  await waitFor('all charged', async () => (await site.used('ending')) === 50);
  const ended = gateway.stop();
  await gateway.line('shutdown.started');
  proxy.resume();
  t.deepEqual([...new Set(resultsOf(await pending).map(({ status }) => status))], [202]);
  t.is((await ended).code, 0);
  const records = await site.redis.mget(
    items.map(({ idempotency_key: key }) => site.recordKey('ending', key)),
  );
  t.true(records.every((record) => record?.startsWith('1A')));
});

test('redis: a record that is none -> its item fails, and no other', async (t) => {
  const gateway = await site.startGateway();
  const items = itemsOf(5);
  await site.redis.rpush(site.recordKey('faulty', items[2]?.idempotency_key ?? ''), 'x');
  const results = resultsOf(await send(gateway, 'faulty', items));
  t.deepEqual(
    results.map(({ status }) => status),
    [202, 202, 500, 202, 202],
  );
  t.deepEqual(results[2]?.body['details'], UNKNOWN);
  t.is(await site.used('faulty'), 4);
});

test('half a body: the connection ends -> nothing is done', async (t) => {
  const gateway = await site.startGateway();
  const items = itemsOf(3);
  const body = JSON.stringify({ messages: items });
  const socket = connectTcp(gateway.port, '127.0.0.1');
  socket.write(
    `POST ${BATCH_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${site.apiKey('half')}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  await waitFor('the connection', async () => (await scrape(gateway)).value('sms_http_connections') > 1);
  socket.resetAndDestroy();
  const line = await gateway.line('batch');
  // As the gateway sees it: the end of the body, or of the connection.
  t.true(['aborted', 'invalid_payload'].includes(String(line['outcome'])));
  t.deepEqual(await site.keysOf('half'), []);
});
