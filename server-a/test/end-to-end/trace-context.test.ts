import { randomUUID } from 'node:crypto';
import test from 'ava';
import { newBody, Site } from '../support/site.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

const site = new Site();
const gateway = await site.startGateway();
const outbox = await site.openOutbox();

test.after.always(() => site.close());

test('traceparent: with a request -> its trace id in the log, both headers with the message', async (t) => {
  const body = newBody();
  const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=1' };
  const { json } = await gateway.send({ apiKey: site.apiKey('main'), body, headers });
  t.is((await gateway.lineOf(json['tracking_id']))['trace_id'], TRACE);
  const { message } = await outbox.theOneWithText(body.text);
  t.deepEqual({ ...message.properties.headers }, headers);
});

test('traceparent: not well formed, or none -> 202 all the same, no trace id, no AMQP headers', async (t) => {
  for (const headers of [{}, { traceparent: '00-nonsense', tracestate: 'vendor=1' }]) {
    const body = newBody();
    const { status, json } = await gateway.send({ apiKey: site.apiKey('main'), body, headers });
    t.is(status, 202);
    t.false('trace_id' in (await gateway.lineOf(json['tracking_id'])));
    const { message } = await outbox.theOneWithText(body.text);
    t.deepEqual({ ...message.properties.headers }, {});
  }
});

test('traceparent: a replay in another trace -> logged under its own, nothing sent', async (t) => {
  const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  await gateway.send({ ...request, headers: { traceparent: TRACEPARENT } });
  const other = 'f'.repeat(32);
  await gateway.send({ ...request, headers: { traceparent: `00-${other}-b7ad6b7169203331-00` } });
  const line = await gateway.line('request', (seen) => seen['trace_id'] === other);
  t.is(line['outcome'], 'replayed');
  await outbox.theOneWithText(request.body.text);
});

test('traceparent: a request that the gate refuses -> in both of its lines', async (t) => {
  const traceId = 'e'.repeat(32);
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-00` };
  await gateway.send({ apiKey: site.apiKey('main'), body: { ...newBody(), providers: ['Omega'] }, headers });
  for (const message of ['provider_gate.blocked', 'request']) {
    t.truthy(await gateway.line(message, (line) => line['trace_id'] === traceId));
  }
});
