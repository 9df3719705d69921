import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { renderKnown } from '../../../src/request/known-of-key.js';

const LIVES = { openMs: 100_000, answerMs: 50_000 };
const ID = '5c566966-b31a-491a-ade4-a5192c76c14d';
const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const at = (leftMs: number) => ({ id: ID, nowMs: NOW, leftMs });

const rendered = (reply: Parameters<typeof renderKnown>[0]): unknown => JSON.parse(renderKnown(reply, LIVES));

test('known of a key: accepted -> its answer, and when it was given', (t) => {
  t.deepEqual(rendered({ ...at(10_001), status: 'answered', httpStatus: 202, body: '' }), {
    state: 'answered',
    accepted: 'yes',
    tracking_id: ID,
    since: '2026-11-23T11:59:20.001Z',
    seconds_left: 11,
    answer: {
      status: 202,
      body: { success: true, message: 'Request accepted for processing.', tracking_id: ID },
    },
  });
});

test('known of a key: refused -> its answer, the time that the answer names, and no id', (t) => {
  const timestamp = '2026-11-23T01:02:03.004Z';
  const body = { error_code: 'TOO_MANY_REQUESTS', timestamp };
  t.deepEqual(rendered({ ...at(10_000), status: 'answered', httpStatus: 429, body: JSON.stringify(body) }), {
    state: 'answered',
    accepted: 'no',
    since: timestamp,
    seconds_left: 10,
    answer: { status: 429, body },
  });
});

for (const [leaseLeftMs, state] of [
  [1, 'in_flight'],
  [0, 'open'],
] as const) {
  test(`known of a key: ${state} -> unknown, its id, and when it was claimed first`, (t) => {
    t.deepEqual(rendered({ ...at(40_000), status: 'open', leaseLeftMs }), {
      state,
      accepted: 'unknown',
      tracking_id: ID,
      since: '2026-11-23T11:59:00.000Z',
      seconds_left: 40,
    });
  });
}

test('known of a key: no end, or more life than records have now -> no time that would be wrong', (t) => {
  const without = Object(rendered({ ...at(-1), status: 'open', leaseLeftMs: 0 }));
  t.deepEqual([without.since, without.seconds_left], [undefined, undefined]);
  const longer = Object(rendered({ ...at(100_001), status: 'open', leaseLeftMs: 0 }));
  t.deepEqual([longer.since, longer.seconds_left], [undefined, 101]);
});

test('known of a key: no record -> KEY_NOT_FOUND, not to be cached', (t) => {
  const error = t.throws(() => renderKnown({ status: 'absent' }, LIVES), { instanceOf: ApiError });
  t.is(error?.code, 'KEY_NOT_FOUND');
  t.deepEqual(error?.headers, { 'Cache-Control': 'no-store' });
});

test('known of a key: a record of another version -> unknown', (t) => {
  const error = t.throws(() => renderKnown({ status: 'unreadable' }, LIVES), { instanceOf: ApiError });
  t.deepEqual(error?.details, { accepted: 'unknown', retry: 'same_key' });
});
