import { randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';

const site = new Site();
const gateway = await site.startGateway();
const strict = await site.startGateway({ IDEMPOTENCY_MISMATCH: 'reject' });
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

test('mismatch: policy replay -> the first answer, with a header, a log line and a count', async (t) => {
  const idempotencyKey = randomUUID();
  const first = await gateway.send({ apiKey, idempotencyKey, body: newBody() });
  t.is(first.headers['idempotency-mismatch'], undefined);
  const before = (await scrape(gateway)).value('sms_idempotency_total', { outcome: 'mismatch' });
  const other = newBody();

  const again = await gateway.send({ apiKey, idempotencyKey, body: other });
  t.is(again.status, 202);
  t.deepEqual(again.bytes, first.bytes);
  t.is(again.headers['idempotent-replayed'], 'true');
  t.is(again.headers['idempotency-mismatch'], 'true');
  t.deepEqual(await outbox.withText(other.text), []);
  const after = (await scrape(gateway)).value('sms_idempotency_total', { outcome: 'mismatch' });
  t.true(after > before);
  const line = await gateway.line(
    'idempotency.mismatch',
    (candidate) => candidate['tracking_id'] === first.json['tracking_id'],
  );
  t.is(line['level'], 'warn');
  t.is(line['client'], 'main');
});

test('mismatch: policy replay, and a body that is invalid -> the first answer', async (t) => {
  const idempotencyKey = randomUUID();
  const first = await gateway.send({ apiKey, idempotencyKey, body: newBody() });
  const again = await gateway.send({ apiKey, idempotencyKey, body: 'not JSON' });
  t.deepEqual(again.bytes, first.bytes);
});

test('mismatch: policy reject -> 400 that says so, nothing sent, and the first answer is kept', async (t) => {
  const idempotencyKey = randomUUID();
  const body = newBody();
  const other = newBody();
  const first = await strict.send({ apiKey, idempotencyKey, body });
  const refused = await strict.send({ apiKey, idempotencyKey, body: other });
  t.is(refused.status, 400);
  t.is(refused.json['error_code'], 'INVALID_PAYLOAD');
  t.true(JSON.stringify(refused.json['details']).includes('Idempotency-Key'));
  t.is(refused.headers['idempotent-replayed'], undefined);
  t.deepEqual(await outbox.withText(other.text), []);

  const again = await strict.send({ apiKey, idempotencyKey, body });
  t.deepEqual(again.bytes, first.bytes);
  t.is(again.headers['idempotent-replayed'], 'true');
});

test('mismatch: policy reject, the same body -> replayed', async (t) => {
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const first = await strict.send(request);
  const again = await strict.send(request);
  t.is(again.status, 202);
  t.deepEqual(again.bytes, first.bytes);
  t.is(again.headers['idempotency-mismatch'], undefined);
});

test('mismatch: policy reject, the first answer was a refusal -> 400 for another body all the same', async (t) => {
  const idempotencyKey = randomUUID();
  const body = { ...newBody(), providers: ['Gamma'] };
  t.is((await strict.send({ apiKey, idempotencyKey, body })).status, 409);
  t.is((await strict.send({ apiKey, idempotencyKey, body: newBody() })).status, 400);
});

test('mismatch: twins with two bodies at once, policy reject -> one body wins, one message', async (t) => {
  const idempotencyKey = randomUUID();
  const bodies = [newBody(), newBody()];
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => strict.send({ apiKey, idempotencyKey, body: bodies[i % 2] })),
  );
  const statuses = answers.map(({ status }) => status);
  t.is(statuses.filter((status) => status === 202).length, 10);
  t.is(statuses.filter((status) => status === 400).length, 10);
  const messages = await Promise.all(bodies.map(({ text }) => outbox.withText(text)));
  t.is(messages.flat().length, 1);
});
