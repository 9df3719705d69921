/**
 * The scripts against a model: random interleavings of everything that happens to a key and to its client's counters, by
 * several attempts. After every step the reply, the record, the counters and the lives of all must be the model's. A real
 * Redis and ioredis-mock go through the same steps and are held to the same expectations, so that what other tests see on
 * the mock is what Redis would do. The seed is printed; MODEL_SEED repeats a run.
 */
import { randomInt } from 'node:crypto';
import test from 'ava';
import { ScriptBench } from '../support/redis.js';
import { Walk } from './walk.js';

const STEPS = 4000;
const SEED = Number(process.env['MODEL_SEED'] ?? randomInt(2 ** 31));

const real = ScriptBench.onRedis();
const mock = await ScriptBench.onMock();
test.after.always(() => {
  real.close();
  mock.close();
});

/** What a script must be told of in a walk; or the walk has proved less than it says. */
const REPLIES = [
  ...[
    'admitted',
    'exceeded',
    'throttled',
    'answered',
    'in_flight',
    'open',
    'mismatch',
    'unreadable',
    'not_now',
  ].map((status) => `admit ${status}`),
  ...['answered', 'open', 'withdrawn', 'absent', 'unreadable', 'early'].map((status) => `settle ${status}`),
  ...[
    'refused',
    'refused too many',
    'answered',
    'in_flight',
    'open',
    'mismatch',
    'unreadable',
    'not_now',
  ].map((status) => `refuse ${status}`),
  ...['consumed', 'exceeded', 'throttled', 'not_now'].map((status) => `consume ${status}`),
  ...['refunded', 'empty'].map((status) => `refund ${status}`),
];

for (const [place, bench] of [
  ['Redis', real],
  ['ioredis-mock', mock],
] as const) {
  test.serial(
    `scripts on ${place}: ${STEPS} random steps -> as the model says, and every reply has come`,
    async (t) => {
      t.timeout(120_000);
      t.log(`seed ${SEED}`);
      const walk = new Walk(bench, SEED);
      for (let number = 0; number < STEPS && t.passed; number += 1) {
        await walk.step(t, number);
        // The mock answers without ever leaving the turn, and nothing else would run.
        if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      t.deepEqual(
        REPLIES.filter((reply) => !walk.seen.has(reply)),
        [],
      );
    },
  );
}
