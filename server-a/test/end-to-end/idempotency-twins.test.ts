import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import type { Gateway } from '../support/gateway.js';
import type { Answer } from '../support/http-client.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';

const TWINS = 50;

const site = new Site({ clients: { main: {}, charged: {} } });
const [gateway, second] = await Promise.all([site.startGateway(), site.startGateway()]);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

/** Sends the same request many times at once, to the gateways in turn. */
async function sendTwins(
  gateways: readonly [Gateway, ...Gateway[]],
  body: unknown,
  client = 'main',
): Promise<Answer[]> {
  const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body };
  return Promise.all(
    Array.from({ length: TWINS }, (_, i) => (gateways[i % gateways.length] ?? gateway).send(request)),
  );
}

/** One answer, the same for all; one of them the first, the others replays of it. */
function checkAlike(t: ExecutionContext, answers: readonly Answer[], status: number): void {
  t.deepEqual([...new Set(answers.map((answer) => answer.status))], [status]);
  t.is(new Set(answers.map(({ text }) => text)).size, 1);
  t.is(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
}

test(`twins: ${TWINS} at once on one gateway -> all 202 with one tracking id, one message, one unit of quota`, async (t) => {
  const body = newBody();
  checkAlike(t, await sendTwins([gateway], body, 'charged'), 202);
  await outbox.theOneWithText(body.text);
  t.is(await site.used('charged'), 1);
});

test(`twins: ${TWINS} at once on two gateways -> all 202 with one tracking id, one message`, async (t) => {
  const body = newBody();
  const answers = await sendTwins([gateway, second], body);
  checkAlike(t, answers, 202);
  const { envelope } = await outbox.theOneWithText(body.text);
  t.is(envelope['tracking_id'], answers[0]?.json['tracking_id']);
});

test(`twins: ${TWINS} at once, refused by the provider gate -> all 409, alike`, async (t) => {
  checkAlike(t, await sendTwins([gateway, second], { ...newBody(), providers: ['Gamma'] }), 409);
});

test(`twins: ${TWINS} at once, invalid -> all 400, alike`, async (t) => {
  checkAlike(t, await sendTwins([gateway, second], '{"to":'), 400);
});

test('twins: 20 pairs at once -> 20 messages', async (t) => {
  const bodies = Array.from({ length: 20 }, newBody);
  const pairs = await Promise.all(
    bodies.map((body) => {
      const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body };
      return Promise.all([gateway.send(request), second.send(request)]);
    }),
  );
  for (const [one, other] of pairs) t.is(one.text, other.text);
  await outbox.settled();
  const texts = new Set(bodies.map(({ text }) => text));
  t.is(outbox.received.filter(({ envelope }) => texts.has(String(envelope['text']))).length, 20);
});

test('twins: those that waited -> counted', async (t) => {
  await sendTwins([gateway], newBody());
  const page = await scrape(gateway);
  t.true(page.value('sms_idempotency_total', { outcome: 'waited' }) > 0);
  t.true(page.value('sms_idempotency_total', { outcome: 'claimed' }) > 0);
  t.true(page.value('sms_idempotency_total', { outcome: 'replayed' }) > 0);
});
