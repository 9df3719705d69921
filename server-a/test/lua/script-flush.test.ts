/** In one file and one after the other: a flush is felt by every test of the run. */
import test from 'ava';
import { recentUnitsKey } from '../../src/redis/keys.js';
import { FINGERPRINT, newId, ScriptBench } from '../support/redis.js';

const bench = new ScriptBench();
test.after.always(() => bench.close());

test.serial('scripts: Redis has lost them (NOSCRIPT) -> each is sent again, and runs once', async (t) => {
  const { redis } = bench;
  const [record, counter, id] = [bench.key(), bench.key(), newId()];
  const calls: (() => Promise<unknown>)[] = [
    () => redis.idempotencyClaim(record, id, 'me', FINGERPRINT, 60_000, 600, 0, 0),
    () => redis.idempotencyRelease(record, 'me', 0, 1000, 600),
    () => redis.idempotencyStore(record, 'me', id, FINGERPRINT, 202, '', 60_000),
    () => redis.quotaConsume(counter, recentUnitsKey(counter), 9, 600, 0, 'unit', '', 10, 60),
    () => redis.quotaRefund(counter, recentUnitsKey(counter), 'unit', 0),
  ];
  const replies: unknown[] = [];
  for (const call of calls) {
    await redis.script('FLUSH');
    replies.push(await call());
  }
  t.deepEqual(replies, [['claimed', id, 0, 0, 0, ''], 'held', 'stored', ['consumed', 1], ['refunded', 0]]);
});

test.serial('scripts: lost while fifty calls are under way -> none fails, none runs twice', async (t) => {
  const counter = bench.key();
  await bench.redis.script('FLUSH');
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      bench.redis.quotaConsume(counter, recentUnitsKey(counter), 1000, 600, 0, `unit-${n}`, '', 100, 60),
    ),
  );
  t.true(replies.every(([status]) => status === 'consumed'));
  t.is(await bench.redis.get(counter), '50');
});
