import test from 'ava';
import { ApiError, internalError } from '../../../src/errors.js';
import { identify } from '../../../src/layers/identify.js';
import { observeRequest } from '../../../src/layers/observe-request.js';
import { createMetrics } from '../../../src/metrics.js';
import { answerJson } from '../../../src/request/answers.js';
import type { Layer } from '../../../src/request/state.js';
import { API_KEYS, type Asked, contextOf, REGISTRY, thrownBy } from '../../support/context.js';
import { logInto } from '../../support/log-into.js';
import { MetricsPage } from '../../support/metrics-page.js';

const accept: Layer = (ctx) => answerJson(ctx, 202, '{}');
const throwing = (thrown: unknown): Layer => {
  return () => Promise.reject(thrown);
};

/** Runs a request through the layer, and returns what was thrown, logged and counted. */
async function observed(asked: Asked, ...within: Layer[]) {
  const metrics = createMetrics();
  const { log, lines } = logInto('debug');
  const ctx = contextOf({ ...asked, state: { ...asked.state } });
  const registry = { current: REGISTRY };
  const thrown = await thrownBy(ctx, observeRequest({ registry, metrics, log }), ...within);
  return { ctx, thrown, lines, page: new MetricsPage(await metrics.registry.metrics()) };
}

const byActive = { headers: { 'api-key': API_KEYS.active } };

test('observe request: accepted -> one info line, one count, one latency', async (t) => {
  const { lines, page, ctx } = await observed(
    { ...byActive, state: { trackingId: 'an-id' } },
    identify(),
    accept,
  );
  t.is(lines.length, 1);
  t.like(lines[0], {
    level: 'info',
    message: 'request',
    outcome: 'accepted',
    status: 202,
    tracking_id: 'an-id',
    client: 'Active',
    client_api_key: 'key-o***',
  });
  t.is(page.value('sms_send_requests_total', { client: 'Active', outcome: 'accepted' }), 1);
  t.is(page.value('sms_send_request_duration_seconds_count'), 1);
  t.is(ctx.state.registry, REGISTRY);
});

test('observe request: an idempotency key -> its digest in the line, whoever sent it; none for what is no key', async (t) => {
  for (const [header, digest] of [
    ['order-4711', '173d0ddbff034193'],
    ['"order-4711"', '173d0ddbff034193'],
    ['two words', undefined],
  ] as const) {
    const headers = { 'idempotency-key': header };
    const { lines } = await observed({ headers }, throwing(new ApiError('UNAUTHORIZED')));
    t.is(lines[0]?.['key_digest'], digest);
  }
});

test('observe request: refused -> counted by its code, and thrown on', async (t) => {
  const { lines, page, thrown } = await observed({}, throwing(new ApiError('UNAUTHORIZED')));
  t.true(thrown instanceof ApiError);
  t.like(lines[0], { level: 'info', outcome: 'unauthorized', status: 401 });
  t.is(page.value('sms_send_requests_total', { client: 'unknown', outcome: 'unauthorized' }), 1);
});

test('observe request: replayed -> counted as that, whatever the answer was', async (t) => {
  const { page } = await observed({ ...byActive, state: { replayed: true } }, identify(), accept);
  t.is(page.value('sms_send_requests_total', { client: 'Active', outcome: 'replayed' }), 1);
});

test('observe request: INTERNAL_ERROR -> an error line with its details and its cause', async (t) => {
  const { lines } = await observed(byActive, throwing(internalError('unknown', new Error('a cause'))));
  t.like(lines[0], {
    level: 'error',
    outcome: 'internal_error',
    details: { accepted: 'unknown' },
    err: { message: 'a cause' },
  });
});

test('observe request: a bug within -> thrown on as INTERNAL_ERROR, the bug in the line', async (t) => {
  const { lines, thrown } = await observed(byActive, throwing(new TypeError('a bug')));
  t.true(thrown instanceof ApiError && thrown.code === 'INTERNAL_ERROR');
  t.like(lines[0], { level: 'error', err: { type: 'TypeError', message: 'a bug' } });
});

test('observe request: a traceparent -> its trace id in the line', async (t) => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const { lines } = await observed({ headers }, accept);
  t.is(lines[0]?.['trace_id'], traceId);
});

for (const [status, level] of [
  [200, 'debug'],
  [404, 'info'],
  [503, 'warn'],
] as const) {
  test(`observe request: another path, status ${status} -> a ${level} line, nothing counted`, async (t) => {
    const { lines, page } = await observed({ method: 'GET', path: '/readyz' }, (ctx) =>
      answerJson(ctx, status, '{}'),
    );
    t.like(lines[0], { level, message: 'request', method: 'GET', path: '/readyz', status });
    t.is(page.value('sms_send_request_duration_seconds_count'), 0);
  });
}

test('observe request: refused by the provider gate -> the refusal is reported once it is what the sender is told', async (t) => {
  const refusal = new ApiError('NO_PROVIDER_AVAILABLE');
  const state = { blocked: { refusal, providers: [] } };
  const told = await observed({ ...byActive, state }, identify(), throwing(refusal));
  t.deepEqual(
    told.lines.map(({ message }) => message),
    ['provider_gate.blocked', 'request'],
  );
  const another = await observed({ ...byActive, state }, identify(), throwing(internalError('unknown')));
  t.deepEqual(
    another.lines.map(({ message }) => message),
    ['request'],
  );
});
