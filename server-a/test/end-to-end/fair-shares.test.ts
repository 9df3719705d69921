/** MAX_IN_FLIGHT is divided among clients: a greedy one leaves room for the others. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { firstHeartbeat, scrape } from '../support/metrics-page.js';
import { Outbox } from '../support/outbox.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ clients: { greedy: {}, modest: {}, keyed: {} } });
test.after.always(() => site.close());

test('shares: a client sends more than it may have in flight, on many connections -> its surplus is refused; others are accepted', async (t) => {
  t.timeout(100_000);
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({
    RABBITMQ_URL: proxy.url,
    MAX_IN_FLIGHT: '30',
    PUBLISH_TIMEOUT_MS: '2500',
  });
  await firstHeartbeat(gateway);
  const outbox = await Outbox.open(site.outboundQueue);
  t.teardown(() => outbox.close());
  proxy.stallAnswers();
  const send = (client: 'greedy' | 'modest' | 'keyed', idempotencyKey?: string) =>
    gateway.send({
      apiKey: site.apiKey(client),
      body: newBody(),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
  let answered = 0;
  const greedy = Array.from({ length: 60 }, () => send('greedy').finally(() => (answered += 1)));
  // By what has come to the broker: pages of metrics keep a distance, and the publishes have 2.5 s.
  const inFlight = () => outbox.received.length;
  await waitFor('four fifths in flight, the surplus refused', () => inFlight() === 24 && answered === 36);
  const others = [send('modest'), send('keyed', randomUUID()), send('modest')];
  await waitFor('the others in flight', () => inFlight() === 27);
  proxy.resume();
  for (const { status } of await Promise.all(others)) t.is(status, 202);
  const answers = await Promise.all(greedy);
  t.is(answers.filter(({ status }) => status === 202).length, 24);
  for (const { json } of answers.filter(({ status }) => status !== 202)) {
    t.deepEqual(json['details'], { accepted: 'no', retry: 'same_key' });
  }
  t.is(await site.used('greedy'), 24);
  // Refused before the charge, or at the publish: counted either way.
  t.is((await scrape(gateway)).value('sms_request_over_share_total', { client: 'greedy' }), 36);
});
