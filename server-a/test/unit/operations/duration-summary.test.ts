import test from 'ava';
import { Registry } from 'prom-client';
import { DurationSummary } from '../../../src/operations/duration-summary.js';

const WINDOW_MS = 60_000;

function summary(): { summary: DurationSummary; page: () => Promise<string> } {
  const registry = new Registry();
  const made = new DurationSummary({
    name: 'a_duration_seconds',
    help: 'A duration',
    percentiles: [0.5, 0.99],
    windowMs: WINDOW_MS,
    registers: [registry],
  });
  return { summary: made, page: () => registry.metrics() };
}

/** Sets the process's clock ahead, until the test ends. */
function ahead(byMs: number): () => void {
  const { now } = performance;
  performance.now = () => now.call(performance) + byMs;
  return () => {
    performance.now = now;
  };
}

test.serial('duration summary: nothing observed -> zeros', async (t) => {
  const { page } = summary();
  t.regex(await page(), /a_duration_seconds\{quantile="0.5"\} 0\n/);
  t.regex(await page(), /a_duration_seconds_count 0\n/);
});

test.serial(
  'duration summary: a thousand durations -> quantiles to three digits, sum and count',
  async (t) => {
    const { summary: made, page } = summary();
    for (let n = 1; n <= 1000; n += 1) made.observe(n / 1000);
    const text = await page();
    const value = (line: string): number =>
      Number(
        text
          .split('\n')
          .find((one) => one.startsWith(line))
          ?.split(' ')[1],
      );
    t.true(Math.abs(value('a_duration_seconds{quantile="0.5"}') - 0.5) < 0.001);
    t.true(Math.abs(value('a_duration_seconds{quantile="0.99"}') - 0.99) < 0.001);
    t.true(Math.abs(value('a_duration_seconds_sum') - 500.5) < 1e-6);
    t.is(value('a_duration_seconds_count'), 1000);
  },
);

test.serial(
  'duration summary: longer than it can tell, and less than nothing -> counted at its bounds',
  async (t) => {
    const { summary: made, page } = summary();
    made.observe(3600);
    t.regex(await page(), /quantile="0.99"\} (59.9|60)/);
    made.observe(-1);
    t.regex(await page(), /a_duration_seconds_count 2\n/);
  },
);

for (const [what, byMs, seen] of [
  ['the next window', WINDOW_MS, true],
  ['two windows later', 2 * WINDOW_MS + 1, false],
] as const) {
  test.serial(
    `duration summary: asked in ${what} -> a duration is ${seen ? 'still' : 'no more'} in the quantiles`,
    async (t) => {
      const { summary: made, page } = summary();
      made.observe(0.25);
      t.teardown(ahead(byMs));
      t.regex(await page(), seen ? /quantile="0.5"\} 0\.25/ : /quantile="0.5"\} 0\n/);
      t.regex(await page(), /a_duration_seconds_count 1\n/);
    },
  );
}
