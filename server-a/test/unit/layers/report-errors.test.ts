import test from 'ava';
import { ApiError, internalError } from '../../../src/errors.js';
import { reportErrors } from '../../../src/layers/report-errors.js';
import { answerJson } from '../../../src/request/answers.js';
import { contextOf, headersOf, runLayers } from '../../support/context.js';
import { parseObject } from '../../support/json.js';

const ID = '5c566966-b31a-491a-ade4-a5192c76c14d';

test('report errors: an answer -> left as it is', async (t) => {
  const ctx = contextOf();
  await runLayers(ctx, reportErrors(), (within) => answerJson(within, 202, '{"a":1}'));
  t.is(ctx.status, 202);
  t.is(ctx.state.json, '{"a":1}');
});

test('report errors: an ApiError -> its status, headers, code, message, details, and a time', async (t) => {
  const ctx = contextOf();
  await runLayers(ctx, reportErrors(), () => {
    throw new ApiError('TOO_MANY_REQUESTS', {
      details: { daily_quota: 5 },
      headers: { 'Retry-After': '60' },
    });
  });
  t.is(ctx.status, 429);
  t.is(headersOf(ctx)['retry-after'], '60');
  const { timestamp, ...rest } = parseObject(String(ctx.state.json));
  t.is(new Date(String(timestamp)).toISOString(), String(timestamp));
  t.deepEqual(rest, {
    error_code: 'TOO_MANY_REQUESTS',
    message: 'The daily quota is used up.',
    details: { daily_quota: 5 },
  });
});

test('report errors: an INTERNAL_ERROR of a request with a tracking id -> the id is told', async (t) => {
  const ctx = contextOf({ state: { trackingId: ID } });
  await runLayers(ctx, reportErrors(), () => {
    throw internalError('unknown');
  });
  t.like(parseObject(String(ctx.state.json)), { tracking_id: ID, details: { accepted: 'unknown' } });
});

test('report errors: anything else thrown -> INTERNAL_ERROR that shows nothing of it', async (t) => {
  for (const thrown of [new TypeError('redis://user:pass-word@host'), 'pass-word', undefined, { a: 1 }]) {
    const ctx = contextOf();
    await runLayers(ctx, reportErrors(), () => Promise.reject(thrown));
    t.is(ctx.status, 500);
    t.like(parseObject(String(ctx.state.json)), {
      error_code: 'INTERNAL_ERROR',
      details: { accepted: 'no' },
    });
    t.false(String(ctx.state.json).includes('pass-word'));
  }
});

for (const [status, code] of [
  [404, 'NOT_FOUND'],
  [405, 'METHOD_NOT_ALLOWED'],
] as const) {
  test(`report errors: left unanswered with status ${status} -> ${code}`, async (t) => {
    const ctx = contextOf({ method: 'GET', path: '/somewhere' });
    await runLayers(ctx, reportErrors(), (within) => {
      within.status = status;
      within.body = undefined;
      within.status = status;
    });
    t.is(parseObject(String(ctx.state.json))['error_code'], code);
    t.is(ctx.status, status);
  });
}
