/** `POST /api/v1/sms/send-batch`: each item is answered as the single endpoint would answer it. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { itemsOf, resultsOf } from '../support/batches.js';
import { asList, asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';

const site = new Site({
  clients: {
    main: {},
    counted: {},
    small: { daily_quota: 5 },
    limited: { max_per_second: 3 },
    shared: {},
    log: {},
    measured: {},
  },
});
const [gateway, second] = await Promise.all([site.startGateway(), site.startGateway()]);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

const send = (messages: readonly unknown[], client = 'main', by = gateway) =>
  by.sendBatch({ apiKey: site.apiKey(client), body: { messages } });

test('batch: 100 messages -> 207, each accepted in order under an id of its own, in the queue, with a unit each', async (t) => {
  const items = itemsOf(100);
  const answer = await send(items, 'counted');
  t.is(answer.status, 207);
  const results = resultsOf(answer);
  t.deepEqual(
    results.map(({ index, key, status }) => [index, key, status]),
    items.map(({ idempotency_key: key }, index) => [index, key, 202]),
  );
  t.deepEqual(answer.json['summary'], { items: 100, outcomes: { accepted: 100 }, quota_left: 999_900 });
  await outbox.settled();
  for (const [index, { text }] of items.entries()) {
    const { envelope } = await outbox.theOneWithText(text);
    t.is(envelope['tracking_id'], results[index]?.body['tracking_id']);
  }
  t.is(await site.used('counted'), 100);
});

test('batch: an item again, alone or in another batch -> the same answer, replayed; nothing is sent or charged', async (t) => {
  const items = itemsOf(3);
  const [first, ...others] = items;
  const results = resultsOf(await send(items, 'shared'));
  const used = await site.used('shared');
  const again = resultsOf(await send([...others, first], 'shared', second));
  t.deepEqual(
    again.map(({ body, replayed }) => [body, replayed]),
    [results[1], results[2], results[0]].map((result) => [result?.body, true]),
  );
  for (const [index, { idempotency_key: idempotencyKey, ...body }] of items.entries()) {
    const single = await second.send({ apiKey: site.apiKey('shared'), idempotencyKey, body });
    t.is(single.status, 202);
    t.is(single.headers['idempotent-replayed'], 'true');
    t.is(single.headers['idempotency-mismatch'], undefined);
    t.deepEqual(single.json, results[index]?.body);
  }
  t.is(await site.used('shared'), used);
});

test('batch: a key that was sent alone before -> replayed; with another body marked as a mismatch', async (t) => {
  const body = newBody();
  const [same, other] = [randomUUID(), randomUUID()];
  const singles = await Promise.all(
    [same, other].map((idempotencyKey) =>
      gateway.send({ apiKey: site.apiKey('main'), idempotencyKey, body }),
    ),
  );
  const results = resultsOf(
    await send([
      { text: body.text, to: body.to, idempotency_key: same },
      { ...newBody(), idempotency_key: other },
    ]),
  );
  t.deepEqual(
    results.map(({ body, replayed, mismatch }) => [body, replayed, mismatch]),
    [
      [singles[0]?.json, true, undefined],
      [singles[1]?.json, true, true],
    ],
  );
});

test('batch: a key in double quotes -> the key without them, as in the header', async (t) => {
  const [item] = itemsOf(1);
  const first = resultsOf(await send([item]));
  const again = resultsOf(await send([{ ...item, idempotency_key: `"${item?.idempotency_key}"` }]));
  t.deepEqual(again[0]?.body, first[0]?.body);
  t.true(again[0]?.replayed);
});

test('batch: faulty items among good ones -> each its own answer, as the single endpoint gives it; refusals are kept', async (t) => {
  const good = newBody();
  const bodies: readonly object[] = [
    good,
    {},
    { ...newBody(), colour: 'red' },
    { ...newBody(), providers: ['Gamma'] },
    { ...newBody(), providers: ['Gamma', 'Delta'] },
    { ...newBody(), providers: ['Omega'] },
    newBody(),
  ];
  const items = bodies.map((body) => ({ ...body, idempotency_key: randomUUID() }));
  const answer = await send([...items, { ...newBody(), idempotency_key: 'not a key' }]);
  const results = resultsOf(answer);
  t.deepEqual(
    results.map(({ status }) => status),
    [202, 400, 400, 409, 409, 422, 202, 400],
  );
  t.deepEqual(asObject(answer.json['summary'])['outcomes'], {
    accepted: 2,
    invalid_payload: 3,
    provider_disabled: 1,
    all_providers_disabled: 1,
    unknown_provider: 1,
  });
  for (const [index, { idempotency_key: idempotencyKey, ...body }] of items.entries()) {
    const single = await second.send({ apiKey: site.apiKey('main'), idempotencyKey, body });
    t.is(single.status, results[index]?.status ?? 0);
    t.is(single.headers['idempotent-replayed'], 'true');
    t.is(single.headers['idempotency-mismatch'], undefined);
    t.deepEqual(single.json, results[index]?.body);
  }
  const malformed = await gateway.send({
    apiKey: site.apiKey('main'),
    idempotencyKey: 'not a key',
    body: newBody(),
  });
  t.deepEqual(results[7]?.body['details'], malformed.json['details']);
});

test('batch: the quota is used up midway -> units in the order of the list; what is left is refused, and said', async (t) => {
  const items = itemsOf(8);
  const answer = await send([items[0], { ...items[1], to: 'nobody' }, ...items.slice(2)], 'small');
  const results = resultsOf(answer);
  t.deepEqual(
    results.map(({ status }) => status),
    [202, 400, 202, 202, 202, 202, 429, 429],
  );
  t.deepEqual(results[6]?.body['details'], { reason: 'daily_quota', daily_quota: 5 });
  t.true(Number(results[6]?.retryAfter) > 0);
  t.is(asObject(answer.json['summary'])['quota_left'], 0);
  t.is(await site.used('small'), 5);
  // Again, in the opposite order: what was accepted is replayed and takes no unit.
  const again = await send([...items].reverse(), 'small', second);
  t.deepEqual(
    resultsOf(again).map(({ status, replayed }) => [status, replayed === true]),
    [[429, true], [429, true], ...Array.from({ length: 4 }, () => [202, true]), [400, true], [202, true]],
  );
  t.is(await site.used('small'), 5);
});

test('batch: max_per_second -> as many as the bucket has, the others throttled each; and accepted later', async (t) => {
  const items = itemsOf(6);
  const answer = await send(items, 'limited');
  const results = resultsOf(answer);
  t.deepEqual(
    results.map(({ status }) => status),
    [202, 202, 202, 429, 429, 429],
  );
  for (const { body, retryAfter } of results.slice(3)) {
    t.deepEqual(body['details'], { reason: 'rate', max_per_second: 3 });
    t.is(retryAfter, 1);
  }
  t.is(await site.used('limited'), 3);
});

test('batch: on two gateways at once, with the same keys in opposite orders -> one id each, and no waiting in a circle', async (t) => {
  const items = itemsOf(50);
  const [one, other] = await Promise.all([
    send(items, 'main', gateway),
    send([...items].reverse(), 'main', second),
  ]);
  t.deepEqual(
    resultsOf(one).map(({ status, body }) => [status, body]),
    resultsOf(other)
      .reverse()
      .map(({ status, body }) => [status, body]),
  );
  t.true(resultsOf(one).every(({ status }) => status === 202));
  for (const { text } of items) await outbox.theOneWithText(text);
});

test('batch: the log -> one line for the batch, one for each item refused, without keys and texts', async (t) => {
  const items = itemsOf(3);
  const traceId = randomUUID().replaceAll('-', '');
  const answer = await gateway.sendBatch({
    apiKey: site.apiKey('log'),
    body: { messages: [items[0], { ...items[1], to: '1' }, items[2]] },
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  });
  const line = await gateway.line('batch', (one) => one['trace_id'] === traceId);
  t.is(line['status'], 207);
  t.is(line['items'], 3);
  t.deepEqual(line['outcomes'], { accepted: 2, invalid_payload: 1 });
  t.is(line['client'], 'log');
  const ids = asList(line['tracking_ids']);
  t.is(ids[0], resultsOf(answer)[0]?.body['tracking_id']);
  const refused = gateway.log.filter(
    (one) => one['message'] === 'batch.item_refused' && one['trace_id'] === traceId,
  );
  t.is(refused.length, 1);
  t.is(refused[0]?.['index'], 1);
  t.is(refused[0]?.['status'], 400);
  t.is(refused[0]?.['outcome'], 'invalid_payload');
});

test('batch: the metrics -> items by outcome among the single requests, sizes as a histogram', async (t) => {
  const third = await site.startGateway();
  const before = await scrape(third);
  const items = itemsOf(4);
  await send([{ ...items[0], to: '1' }, ...items.slice(1)], 'measured', third);
  await third.sendBatch({ apiKey: site.apiKey('measured'), body: {} });
  const after = await scrape(third);
  const grown = (name: string, labels = {}): number => after.value(name, labels) - before.value(name, labels);
  t.is(grown('sms_send_requests_total', { client: 'measured', outcome: 'accepted' }), 3);
  t.is(grown('sms_send_requests_total', { client: 'measured', outcome: 'invalid_payload' }), 2);
  t.is(grown('sms_batch_items_count'), 1);
  t.is(grown('sms_batch_items_sum'), 4);
});
