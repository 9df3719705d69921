import test from 'ava';
import { RedisClock } from '../../../src/redis/clock.js';

/** Runs this at another time of performance.now(). */
async function later<T>(byMs: number, look: () => Promise<T>): Promise<T> {
  const { now } = performance;
  performance.now = () => now.call(performance) + byMs;
  try {
    return await look();
  } finally {
    performance.now = now;
  }
}

/** A Redis that tells its time when the test says so. */
class Asked {
  count = 0;
  #answer: ((nowMs: number) => void) | undefined;
  #refuse: ((error: Error) => void) | undefined;
  readonly clock = new RedisClock(() => {
    this.count += 1;
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#refuse = reject;
    });
  });

  answer(nowMs: number): void {
    this.#answer?.(nowMs);
  }

  refuse(): void {
    this.#refuse?.(new Error('no answer'));
  }
}

/** True where a clock's estimate is this time, but for what has passed since. */
const isAbout = (clock: RedisClock, expectedMs: number): boolean =>
  Math.abs((clock.now() ?? Number.NaN) - expectedMs) < 1000;

test.serial('clock: Redis has not told its time -> unknown, and asked', (t) => {
  const asked = new Asked();
  t.is(asked.clock.now(), undefined);
  t.false(asked.clock.known);
  t.is(asked.count, 1);
});

test.serial('clock: asked several times while it waits -> one question to Redis', async (t) => {
  const asked = new Asked();
  const first = asked.clock.synchronise();
  asked.clock.now();
  const second = asked.clock.synchronise();
  asked.answer(5_000_000);
  await Promise.all([first, second]);
  t.is(asked.count, 1);
  t.true(isAbout(asked.clock, 5_000_000));
});

test('clock: synchronised while a question is under way -> resolves when that is answered', async (t) => {
  const asked = new Asked();
  void asked.clock.synchronise();
  const second = asked.clock.synchronise().then(() => asked.clock.known);
  setImmediate(() => asked.answer(5_000_000));
  t.true(await second);
});

test.serial(
  'clock: the answer took its time -> counted from its arrival, so never ahead of Redis; and going on from there',
  async (t) => {
    const asked = new Asked();
    const { now } = performance;
    let nowMs = 1000;
    performance.now = () => nowMs;
    t.teardown(() => {
      performance.now = now;
    });
    const synchronised = asked.clock.synchronise();
    nowMs = 1200;
    asked.answer(5_000_000);
    await synchronised;
    t.is(asked.clock.now(), 5_000_000);
    nowMs = 1300;
    t.is(asked.clock.now(), 5_000_100);
  },
);

test.serial('clock: the estimate is old -> still told, and asked anew', async (t) => {
  const asked = new Asked();
  const first = asked.clock.synchronise();
  asked.answer(5_000_000);
  await first;
  t.true(isAbout(asked.clock, 5_000_000));
  t.is(asked.count, 1);
  await later(20_000, async () => {
    t.true(isAbout(asked.clock, 5_020_000));
    t.is(asked.count, 2);
    // A question is under way: no second one.
    asked.clock.now();
    t.is(asked.count, 2);
  });
});

test.serial(
  'clock: Redis gives no answer -> the old estimate stays, and the next look asks again',
  async (t) => {
    const asked = new Asked();
    const first = asked.clock.synchronise();
    asked.refuse();
    await t.notThrowsAsync(first);
    t.is(asked.clock.now(), undefined);
    t.is(asked.count, 2);
    asked.answer(5_000_000);
    await new Promise((resolve) => setImmediate(resolve));
    const third = asked.clock.synchronise();
    asked.refuse();
    await third;
    t.true(isAbout(asked.clock, 5_000_000));
  },
);

test.serial('clock: Redis has told another time -> that is the estimate, without a question', async (t) => {
  const asked = new Asked();
  const first = asked.clock.synchronise();
  asked.answer(5_000_000);
  await first;
  asked.clock.correct(9_000_000);
  t.true(isAbout(asked.clock, 9_000_000));
  asked.clock.correct(1_000_000);
  t.true(isAbout(asked.clock, 1_000_000));
  t.is(asked.count, 1);
});

test.serial('clock: forgotten -> unknown until Redis has told its time again', async (t) => {
  const asked = new Asked();
  const first = asked.clock.synchronise();
  asked.answer(5_000_000);
  await first;
  asked.clock.forget();
  t.false(asked.clock.known);
  t.is(asked.clock.now(), undefined);
  t.is(asked.count, 2);
  asked.answer(6_000_000);
  await new Promise((resolve) => setImmediate(resolve));
  t.true(isAbout(asked.clock, 6_000_000));
});
