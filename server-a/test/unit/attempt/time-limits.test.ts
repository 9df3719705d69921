import test from 'ava';
import {
  admissionLimitMs,
  deadlineOf,
  HOLD_MS,
  leaseMs,
  mayLookAgain,
  publishLimitMs,
  REQUEST_LIMIT_MS,
  settleLimitMs,
  waitsOfAnAttempt,
} from '../../../src/attempt/time-limits.js';

/** Milliseconds within which the specification wants every request answered. */
const ANSWERED_WITHIN_MS = 3000;
/** The smallest and the largest settings that a configuration may have, the defaults, and lopsided ones. */
const SETTINGS = [
  { REDIS_TIMEOUT_MS: 50, PUBLISH_TIMEOUT_MS: 50 },
  { REDIS_TIMEOUT_MS: 500, PUBLISH_TIMEOUT_MS: 1200 },
  { REDIS_TIMEOUT_MS: 50, PUBLISH_TIMEOUT_MS: 60_000 },
  { REDIS_TIMEOUT_MS: 60_000, PUBLISH_TIMEOUT_MS: 50 },
  { REDIS_TIMEOUT_MS: 60_000, PUBLISH_TIMEOUT_MS: 60_000 },
];

/** Runs this at a time of performance.now() that stands still. */
function at<T>(nowMs: number, look: () => T): T {
  const { now } = performance;
  performance.now = () => nowMs;
  try {
    return look();
  } finally {
    performance.now = now;
  }
}

/** Times at which an attempt may begin: all of a request's. */
const moments = (deadline: number) =>
  Array.from({ length: 57 }, (_, n) => deadline - REQUEST_LIMIT_MS + 50 * n);

const SMALLEST = { REDIS_TIMEOUT_MS: 50, PUBLISH_TIMEOUT_MS: 50 };
/** Milliseconds that a lease is longer than its waits. */
const SLACK_MS = leaseMs(SMALLEST) - 150;

test('lease: the defaults -> every named wait, and slack', (t) => {
  const settings = { REDIS_TIMEOUT_MS: 500, PUBLISH_TIMEOUT_MS: 1200 };
  t.deepEqual(waitsOfAnAttempt(settings), { replyOfAdmit: 500, publish: 1200, settle: 500 });
  t.is(leaseMs(settings), 500 + 1200 + 500 + SLACK_MS);
});

test('lease: each named wait -> makes the lease longer by its own length', (t) => {
  t.is(leaseMs({ ...SMALLEST, REDIS_TIMEOUT_MS: 51 }), leaseMs(SMALLEST) + 2);
  t.is(leaseMs({ ...SMALLEST, PUBLISH_TIMEOUT_MS: 51 }), leaseMs(SMALLEST) + 1);
});

test('lease: the smallest and the largest settings -> room for a long pause, but not beyond a request', (t) => {
  t.true(SLACK_MS >= 500);
  t.is(leaseMs({ REDIS_TIMEOUT_MS: 60_000, PUBLISH_TIMEOUT_MS: 60_000 }), REQUEST_LIMIT_MS + SLACK_MS);
});

for (const settings of SETTINGS) {
  const { REDIS_TIMEOUT_MS, PUBLISH_TIMEOUT_MS } = settings;
  const name = `${REDIS_TIMEOUT_MS} ms of Redis, ${PUBLISH_TIMEOUT_MS} ms of publish`;
  const deadline = 1_000_000 + REQUEST_LIMIT_MS;
  /** Moments of an attempt that begins at this one and has to wait as long as it may, each time. */
  const longest = (begin: number) => {
    const admitted = begin + at(begin, () => admissionLimitMs(deadline, REDIS_TIMEOUT_MS));
    const published = admitted + at(admitted, () => publishLimitMs(deadline, PUBLISH_TIMEOUT_MS));
    const settled = published + at(published, () => settleLimitMs(deadline, REDIS_TIMEOUT_MS));
    return { admitted, published, settled };
  };

  test(`lease: ${name} -> outlasts the longest attempt, whenever it begins`, (t) => {
    for (const begin of moments(deadline)) {
      t.true(longest(begin).settled - begin <= leaseMs(settings), `begun at ${begin - deadline}`);
    }
  });

  test(`limits: ${name} -> each leaves the time that what follows it needs`, (t) => {
    for (const begin of moments(deadline)) {
      const { admitted, published, settled } = longest(begin);
      // A call may be begun even at the very end: an answer a moment late is worth having.
      t.true(admitted <= Math.max(deadline - 350, begin + 50));
      t.true(published <= deadline - 300 || published === admitted);
      t.true(settled <= Math.max(deadline, published + 50));
      t.true(settled <= deadline - REQUEST_LIMIT_MS + ANSWERED_WITHIN_MS);
      t.true(admitted - begin <= REDIS_TIMEOUT_MS && settled - published <= REDIS_TIMEOUT_MS);
      t.true(published - admitted <= PUBLISH_TIMEOUT_MS);
    }
  });

  test(`limits: ${name} -> a twin’s last look leaves time for a publish`, (t) => {
    for (const begin of moments(deadline).filter((now) => at(now, () => mayLookAgain(deadline, 0)))) {
      const { admitted, published } = longest(begin);
      t.true(published > admitted);
    }
  });
}

test('publish: less than 50 ms before what the settlement is left -> not begun', (t) => {
  const deadline = 1_000_000;
  t.is(
    at(deadline - 349, () => publishLimitMs(deadline, 1200)),
    0,
  );
  t.is(
    at(deadline - 350, () => publishLimitMs(deadline, 1200)),
    50,
  );
  t.is(
    at(deadline + 5000, () => publishLimitMs(deadline, 1200)),
    0,
  );
});

test('twin: the pause before a look -> counts as time', (t) => {
  const deadline = 1_000_000;
  const lookUntil = Math.max(...moments(deadline).filter((now) => at(now, () => mayLookAgain(deadline, 0))));
  t.true(lookUntil < deadline - 350);
  t.true(at(lookUntil - 100, () => mayLookAgain(deadline, 100)));
  t.false(at(lookUntil + 50 - 100, () => mayLookAgain(deadline, 100)));
});

test('deadline: asked twice -> counted from the first time', (t) => {
  const ctx = { state: { deadline: undefined } };
  t.is(
    at(1000, () => deadlineOf(ctx)),
    1000 + REQUEST_LIMIT_MS,
  );
  t.is(
    at(1500, () => deadlineOf(ctx)),
    1000 + REQUEST_LIMIT_MS,
  );
});

test('hold: after the longest request -> a late confirm still finds its key held', (t) => {
  t.true(HOLD_MS > REQUEST_LIMIT_MS);
});
