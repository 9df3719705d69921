/** In one file and one after the other: a flush is felt by every test of the run. */
import test from 'ava';
import { SCRIPTS } from '../../src/redis/script-files.js';
import { newId, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
test.after.always(() => bench.close());

test.serial('scripts: Redis has lost them (NOSCRIPT) -> each is sent again, and runs once', async (t) => {
  const [record, refused, counter, id] = [bench.key(), bench.key(), bench.counter(), newId()];
  const calls: Record<keyof typeof SCRIPTS, () => Promise<readonly unknown[]>> = {
    admit: () => bench.admit(record, counter, { id }),
    refuse: () => bench.refuse(refused),
    settle: () => bench.settle(record, 'held', { id, durationMs: 60_000 }),
    quotaConsume: () => bench.consume(counter, 9),
    quotaRefund: () => bench.refund(counter),
    lookUp: () => bench.lookUp(bench.key()),
  };
  t.deepEqual(Object.keys(calls), Object.keys(SCRIPTS));
  const replies: unknown[] = [];
  for (const call of Object.values(calls)) {
    await bench.redis.script('FLUSH');
    replies.push(await call());
  }
  t.deepEqual(replies, [
    ['admitted', id, 0, 1],
    ['refused', 0],
    ['open', id, 0],
    ['consumed', 2],
    ['refunded', 1],
    ['absent'],
  ]);
});

test.serial('scripts: lost while fifty calls are under way -> none fails, none runs twice', async (t) => {
  const counter = bench.counter();
  await bench.redis.script('FLUSH');
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => bench.admit(bench.key(), counter, { limit: 1000 })),
  );
  t.true(replies.every(([status]) => status === 'admitted'));
  t.is(await bench.redis.get(counter), '50');
});
