/** The limit per second: a bucket of tokens beside the daily counter, in the same step. */
import test from 'ava';
import { newId, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

const statuses = (replies: readonly (readonly unknown[])[]): unknown[] => replies.map(([status]) => status);

/** Lets a bucket be as it was written some time ago. */
async function age(bucket: string, ms: number): Promise<void> {
  const [gone = '', at = ''] = ((await redis.get(bucket)) ?? '').split(' ');
  await redis.set(bucket, `${gone} ${Number(at) - ms}`, 'PX', 60_000);
}

test('rate: keyed and unkeyed at once, more than a second has room for -> as many as the limit, of both together', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 5 };
  const replies = await Promise.all([
    ...Array.from({ length: 4 }, () => bench.admit(bench.key(), counter, { limit: 100, rate })),
    ...Array.from({ length: 4 }, () => bench.consume(counter, 100, { rate })),
  ]);
  t.deepEqual(statuses(replies), [
    ...Array.from({ length: 4 }, () => 'admitted'),
    ...['consumed', 'throttled', 'throttled', 'throttled'],
  ]);
  t.is(await redis.get(counter), '5');
});

test('rate: a fifth of a second later, of 5 a second -> room for one more', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 5 };
  for (let n = 0; n < 5; n += 1) await bench.consume(counter, 100, { rate });
  await age(bucket, 200);
  // The bucket fills while the test runs, too; in less than a fifth of a second it has no second token.
  t.deepEqual(statuses([await bench.consume(counter, 100, { rate })]), ['consumed']);
  const [gone = ''] = ((await redis.get(bucket)) ?? '').split(' ');
  t.true(Number(gone) > 3 && Number(gone) <= 5);
});

test('rate: long after -> full, and not more than full', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 2 };
  await bench.consume(counter, 100, { rate });
  await age(bucket, 3_600_000);
  const replies = [];
  for (let n = 0; n < 3; n += 1) replies.push(await bench.consume(counter, 100, { rate }));
  t.deepEqual(statuses(replies), ['consumed', 'consumed', 'throttled']);
});

test('rate: throttled -> no unit and no token is taken, and the key has no record', async (t) => {
  const [counter, bucket, record] = [bench.counter(), bench.key(), bench.key()];
  const rate = { bucket, perSecond: 1 };
  await bench.consume(counter, 100, { rate });
  const before = await redis.get(bucket);
  t.deepEqual(await bench.admit(record, counter, { limit: 100, rate }), ['throttled']);
  t.is(await redis.get(bucket), before);
  t.is(await redis.get(counter), '1');
  t.is(await redis.exists(record), 0);
});

test('rate: the daily quota is used up -> exceeded, and no token is taken', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  t.deepEqual(await bench.consume(counter, 0, { rate: { bucket, perSecond: 3 } }), ['exceeded', 0]);
  t.is(await redis.exists(bucket), 0);
});

test('rate: no token is left -> the same owner, a twin, a take-over and a replay are told as ever', async (t) => {
  const [counter, bucket, record, id] = [bench.counter(), bench.key(), bench.key(), newId()];
  const rate = { bucket, perSecond: 1 };
  const given = { id, limit: 100, rate };
  t.deepEqual(await bench.admit(record, counter, given), ['admitted', id, 0, 1]);
  t.deepEqual(await bench.admit(bench.key(), counter, given), ['throttled']);
  t.deepEqual(await bench.admit(record, counter, given), ['admitted', id, 0, 1]);
  t.is((await bench.admit(record, counter, { ...given, owner: 'twin' }))[0], 'in_flight');
  await bench.endLease(record);
  t.deepEqual(await bench.admit(record, counter, { ...given, owner: 'other' }), ['admitted', id, 1, 0]);
  await bench.settle(record, 'answered', { id, owner: 'other', durationMs: 60_000 });
  t.is((await bench.admit(record, counter, { ...given, owner: 'later' }))[0], 'answered');
});

test('rate: a bucket -> ends when it is full again, a second later at the most', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 4 };
  await bench.consume(counter, 100, { rate });
  const afterOne = await redis.pttl(bucket);
  t.true(afterOne > 0 && afterOne <= 250, `${afterOne} ms`);
  for (let n = 0; n < 3; n += 1) await bench.consume(counter, 100, { rate });
  const afterFour = await redis.pttl(bucket);
  t.true(afterFour > 250 && afterFour <= 1000, `${afterFour} ms`);
});

test('rate: a limit that was lowered by a reload -> at most the new one is gone', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  for (let n = 0; n < 50; n += 1) await bench.consume(counter, 100, { rate: { bucket, perSecond: 50 } });
  await age(bucket, 1000);
  t.is((await bench.consume(counter, 100, { rate: { bucket, perSecond: 1 } }))[0], 'consumed');
});

test('rate: a bucket that another clock has written, ahead of this one -> as if it were full', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 1 };
  await bench.consume(counter, 100, { rate });
  await age(bucket, -3_600_000);
  t.is((await bench.consume(counter, 100, { rate }))[0], 'consumed');
});

test('rate: no number of a bucket can be read -> as if it were full', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  await redis.set(bucket, 'something else');
  t.is((await bench.consume(counter, 100, { rate: { bucket, perSecond: 1 } }))[0], 'consumed');
});
