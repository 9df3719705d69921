import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { Gateway } from '../support/gateway.js';
import type { Answer } from '../support/http-client.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const SENDERS = 60;
/** Short limits, so that a fault is over soon. */
const LIMITS = { REDIS_TIMEOUT_MS: '150', PUBLISH_TIMEOUT_MS: '300' };

const site = new Site({ clients: { crash: {}, broker: {}, redis: {} } });
const survivor = await site.startGateway(LIMITS);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

interface Sent {
  readonly text: string;
  readonly answer: Answer;
}

/** Sends one keyed request again and again, as a good sender does, until it is accepted. */
async function sendUntilAccepted(client: string, gatewayNow: () => Gateway): Promise<Sent> {
  const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body: newBody() };
  const answer = await waitFor(
    'a 202',
    async () => {
      const got = await gatewayNow().send(request);
      return got.status === 202 && got;
    },
    { withinMs: 30_000, everyMs: 20 },
  );
  return { text: request.body.text, answer };
}

/** Each key has one tracking id: that of its answer, on every message for it. Returns the number of messages. */
async function checkOneIdPerKey(t: ExecutionContext, all: readonly Sent[]): Promise<number> {
  await outbox.settled();
  const idsByText = new Map<unknown, unknown[]>();
  for (const { envelope } of outbox.received) {
    const ids = idsByText.get(envelope['text']) ?? [];
    idsByText.set(envelope['text'], [...ids, envelope['tracking_id']]);
  }
  let messages = 0;
  for (const { text, answer } of all) {
    const ids = idsByText.get(text) ?? [];
    messages += ids.length;
    t.deepEqual([...new Set(ids)], [answer.json['tracking_id']]);
  }
  return messages;
}

test('crash: a gateway killed within a keyed load, senders go on with another -> one tracking id per key, all accepted', async (t) => {
  const doomed = await site.startGateway(LIMITS);
  let now = doomed;
  const sent: Sent[] = [];
  const senders = Promise.all(
    Array.from({ length: SENDERS }, async () => {
      for (let i = 0; i < 20; i += 1) sent.push(await sendUntilAccepted('crash', () => now));
    }),
  );
  await waitFor('some answers', () => sent.length > 200);
  await doomed.kill();
  now = survivor;
  await senders;
  const messages = await checkOneIdPerKey(t, sent);
  t.true(messages >= SENDERS * 20);
  t.true((await site.used('crash')) >= SENDERS * 20);
});

/**
 * Loads a gateway of its own whose connection to a service is cut four times, with the answers stalled before each second
 * cut. Returns what was accepted.
 */
async function loadWhileCut(
  t: ExecutionContext,
  client: string,
  variable: 'REDIS_URL' | 'RABBITMQ_URL',
  url: string,
): Promise<readonly Sent[]> {
  const proxy = await startTcpProxy(url);
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({ ...LIMITS, [variable]: proxy.url });
  let cutting = true;
  const sent: Sent[] = [];
  const senders = Array.from({ length: SENDERS }, async () => {
    while (cutting) sent.push(await sendUntilAccepted(client, () => gateway));
  });
  for (let i = 0; i < 4; i += 1) {
    const enough = sent.length + 50;
    await waitFor('more answers', () => sent.length > enough);
    if (i % 2 === 0) proxy.stallAnswers();
    await delay(i % 2 === 0 ? 20 : 0);
    proxy.cut();
    proxy.resume();
  }
  cutting = false;
  await Promise.all(senders);
  return sent;
}

test('rabbitmq: its connection cut again and again within a keyed load -> one tracking id per key, one unit per key', async (t) => {
  const sent = await loadWhileCut(t, 'broker', 'RABBITMQ_URL', RABBITMQ_URL);
  await checkOneIdPerKey(t, sent);
  t.is(await site.used('broker'), sent.length);
});

test('redis: its connection cut again and again within a keyed load -> one tracking id per key, each charged', async (t) => {
  const sent = await loadWhileCut(t, 'redis', 'REDIS_URL', REDIS_URL);
  await checkOneIdPerKey(t, sent);
  t.true((await site.used('redis')) >= sent.length);
});
