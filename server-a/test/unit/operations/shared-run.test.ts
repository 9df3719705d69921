/** Work that many ask for at once. */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { SharedRun } from '../../../src/operations/shared-run.js';
import { useVirtualClock } from '../../support/virtual-clock.js';

test('shared run: many ask before it begins -> one run; who asks while it runs -> the next one', async (t) => {
  useVirtualClock(t);
  let runs = 0;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const shared = new SharedRun(async () => {
    runs += 1;
    const mine = runs;
    await gate;
    return mine;
  });
  const first = Array.from({ length: 50 }, () => shared.ask());
  await delay(5);
  const second = Array.from({ length: 50 }, () => shared.ask());
  open();
  t.deepEqual(new Set(await Promise.all(first)), new Set([1]));
  t.deepEqual(new Set(await Promise.all(second)), new Set([2]));
  t.is(runs, 2);
});

test('shared run: asked again and again for a second -> five runs at the most', async (t) => {
  useVirtualClock(t);
  let runs = 0;
  const shared = new SharedRun(async () => {
    runs += 1;
  });
  const until = performance.now() + 1000;
  while (performance.now() < until) await shared.ask();
  // The first one, and one each 250 ms.
  t.true(runs >= 2 && runs <= 6, `${runs}`);
});

test('shared run: a pause that follows from the result -> kept, however long the run took', async (t) => {
  useVirtualClock(t);
  const begun: number[] = [];
  const shared = new SharedRun(
    async () => {
      begun.push(performance.now());
      await delay(100);
      return 2000;
    },
    (result) => result,
  );
  await shared.ask();
  await shared.ask();
  const [first = 0, second = 0] = begun;
  t.is(Math.round(second - first), 2100);
});

test('shared run: it fails -> told to all who asked, and the next one is tried', async (t) => {
  useVirtualClock(t);
  let runs = 0;
  const shared = new SharedRun(async () => {
    runs += 1;
    if (runs === 1) throw new Error('once');
    return runs;
  });
  const asked = await Promise.allSettled([shared.ask(), shared.ask()]);
  t.deepEqual(
    asked.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.is(await shared.ask(), 2);
});
