import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { useVirtualClock } from '../../support/virtual-clock.js';

test('virtual clock: an hour is waited for -> every clock is an hour further, and no time has passed', async (t) => {
  const realNow = performance.now.bind(performance);
  const startedAt = realNow();
  useVirtualClock(t);
  const [wallClock, monotonic] = [Date.now(), performance.now()];
  await delay(1_800_000);
  await new Promise((resolve) => setTimeout(resolve, 1_800_000));
  t.is(Date.now() - wallClock, 3_600_000);
  t.is(new Date().toISOString(), new Date(wallClock + 3_600_000).toISOString());
  t.is(performance.now() - monotonic, 3_600_000);
  t.true(realNow() - startedAt < 60_000);
});

test('virtual clock: timers -> in order of their times, repeated or not; cleared ones never', async (t) => {
  useVirtualClock(t);
  const seen: string[] = [];
  const every = setInterval(() => seen.push('every 20'), 20);
  const cleared = setTimeout(() => seen.push('cleared'), 30);
  setTimeout((word: string) => seen.push(word), 50, 'once').unref();
  const late = setTimeout(() => seen.push('late'), 30);
  await delay(25);
  late.refresh();
  clearTimeout(cleared);
  await delay(40);
  clearInterval(every);
  await delay(1000);
  t.deepEqual(seen, ['every 20', 'every 20', 'once', 'late', 'every 20']);
});

test('virtual clock: work without a timer -> is done before time jumps', async (t) => {
  useVirtualClock(t);
  const before = performance.now();
  const first = await Promise.race([
    delay(1, 'timer'),
    new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'work'))),
  ]);
  t.is(first, 'work');
  t.is(performance.now(), before);
});

test('virtual clock: a delay is aborted -> rejects at once', async (t) => {
  useVirtualClock(t);
  const before = performance.now();
  const abort = new AbortController();
  const aborted = delay(1000, undefined, { signal: abort.signal });
  abort.abort();
  await t.throwsAsync(aborted, { name: 'AbortError' });
  t.is(performance.now(), before);
});

test('virtual clock: the test is over -> the clocks and timers are the real ones', async (t) => {
  const { now } = performance;
  const real = [setTimeout, setInterval, clearTimeout, clearInterval, Date, now, delay];
  const attempt = await t.try((inner) => {
    useVirtualClock(inner);
    inner.not(setTimeout, real[0]);
  });
  attempt.commit();
  t.deepEqual([setTimeout, setInterval, clearTimeout, clearInterval, Date, performance.now, delay], real);
});
