import test from 'ava';
import { Pool } from './pool.js';
import { describeFigures, describeHistory } from './report.js';
import { shrink } from './shrink.js';
import { simulate } from './simulate.js';

/** Always the same 1,000 histories, in ten tests so that AVA sees progress; `make simulate` looks at others. */
const PARTS = 10;
const HISTORIES = 100;

const pool = new Pool();
test.after.always(() => pool.close());

for (let part = 0; part < PARTS; part += 1) {
  const firstSeed = 1 + part * HISTORIES;
  const lastSeed = firstSeed + HISTORIES - 1;
  test.serial(
    `simulator: the histories ${firstSeed} to ${lastSeed} -> every promise is kept in each of them`,
    async (t) => {
      const began = performance.now();
      const { figures, failed } = await simulate(pool, { firstSeed, histories: HISTORIES });
      const [first] = failed;
      if (first !== undefined) t.log(describeHistory(await shrink(pool, first)));
      t.is(first, undefined);
      t.is(figures.histories, HISTORIES);
      t.log(
        describeFigures(figures, performance.now() - began)
          .trim()
          .split('\n')
          .at(-1),
      );
    },
  );
}

test('simulator: one seed, in several processes and again -> the same history, event by event', async (t) => {
  for (let seed = 40; seed < 46; seed += 1) {
    const [first, ...others] = await Promise.all(
      Array.from({ length: 2 * pool.size }, () => pool.run({ seed, keepTrace: true })),
    );
    for (const other of others) t.deepEqual(other, first);
  }
});

test('simulator: only some of the failures of a history -> those are injected, and no others', async (t) => {
  const whole = await pool.run({ seed: 7 });
  const ids = whole.made.map(({ id }) => id).filter((_, index) => index % 2 === 0);
  const part = await pool.run({ seed: 7, only: ids });
  t.true(part.made.length > 0);
  t.deepEqual(
    part.made.filter(({ id }) => !ids.includes(id)),
    [],
  );
});
