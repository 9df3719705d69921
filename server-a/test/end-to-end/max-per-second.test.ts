/** Clients that may send only so many new messages in a second. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: {
    keyed: { max_per_second: 2 },
    replayed: { max_per_second: 2 },
    unkeyed: { max_per_second: 2 },
    used: { max_per_second: 2, daily_quota: 0 },
    free: {},
  },
});
const gateway = await site.startGateway();
const second = await site.startGateway();

test.after.always(() => site.close());

const RATE = { reason: 'rate', max_per_second: 2 };

test('max_per_second: 12 new keys at once through two gateways -> some accepted, the rest 429 for a second; then accepted as well', async (t) => {
  const requests = Array.from({ length: 12 }, () => ({
    apiKey: site.apiKey('keyed'),
    idempotencyKey: randomUUID(),
    body: newBody(),
  }));
  const send = (request: (typeof requests)[number], index: number) =>
    (index % 2 === 0 ? gateway : second).send(request);
  const began = performance.now();
  const answers = await Promise.all(requests.map(send));
  const accepted = answers.filter(({ status }) => status === 202).length;
  // Two at once, and two more for each second that it took.
  t.true(accepted >= 2 && accepted <= 2 + 2 * Math.ceil((performance.now() - began) / 1000));
  for (const { status, json, headers } of answers.filter(({ status }) => status !== 202)) {
    t.is(status, 429);
    t.is(json['error_code'], 'TOO_MANY_REQUESTS');
    t.deepEqual(json['details'], RATE);
    t.is(json['tracking_id'], undefined);
    t.is(headers['retry-after'], '1');
    t.is(headers['ratelimit'], '"second";r=0;t=1');
    t.is(headers['ratelimit-policy'], '"second";q=2;w=1');
  }
  t.is(await site.used('keyed'), accepted);
  // Nothing but what was accepted has a record: the rest is as new, and is accepted in time.
  for (const [index, request] of requests.entries()) {
    const answer = await waitFor('a 202', async () => {
      const tried = await send(request, index + 1);
      return tried.status === 202 && tried;
    });
    const first = answers[index];
    if (first?.status === 202) t.is(answer.text, first.text);
  }
  t.is(await site.used('keyed'), 12);
  const pages = await Promise.all([scrape(gateway), scrape(second)]);
  const throttled = pages.map((page) => page.value('sms_request_throttled_total', { client: 'keyed' }));
  t.true(throttled.reduce((sum, count) => sum + count, 0) >= 12 - accepted);
});

test('max_per_second: replays of one key, many in a second -> never refused', async (t) => {
  const request = { apiKey: site.apiKey('replayed'), idempotencyKey: randomUUID(), body: newBody() };
  t.is((await gateway.send(request)).status, 202);
  const answers = await Promise.all(Array.from({ length: 10 }, () => gateway.send(request)));
  t.true(answers.every(({ status, headers }) => status === 202 && headers['idempotent-replayed'] === 'true'));
});

test('max_per_second: without a key -> counted as well; another client is not affected', async (t) => {
  const send = (client: 'unkeyed' | 'free') => gateway.send({ apiKey: site.apiKey(client), body: newBody() });
  const answers = await Promise.all(Array.from({ length: 12 }, () => send('unkeyed')));
  const refused = answers.filter(({ status }) => status === 429);
  t.true(refused.length > 0);
  for (const { json } of refused) t.deepEqual(json['details'], RATE);
  const others = await Promise.all(Array.from({ length: 12 }, () => send('free')));
  t.true(others.every(({ status }) => status === 202));
});

test('max_per_second: the daily quota is used up -> that is the reason', async (t) => {
  const { status, json } = await gateway.send({ apiKey: site.apiKey('used'), body: newBody() });
  t.is(status, 429);
  t.deepEqual(json['details'], { reason: 'daily_quota', daily_quota: 0 });
});
