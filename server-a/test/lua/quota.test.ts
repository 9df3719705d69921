import test from 'ava';
import { ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

test('consume: the first unit -> consumed, and the counter expires within a day', async (t) => {
  const counter = bench.counter();
  t.deepEqual(await bench.consume(counter, 5), ['consumed', 1]);
  const ttl = await redis.ttl(counter);
  t.true(ttl > 86_390 && ttl <= 86_400);
  t.is(await redis.get(counter), '1');
});

test('consume: later units -> the expiry is not pushed on', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  await redis.expire(counter, 100);
  t.deepEqual(await bench.consume(counter, 5), ['consumed', 2]);
  const ttl = await redis.ttl(counter);
  t.true(ttl > 0 && ttl <= 100);
});

test('consume: none left -> exceeded, and the counter does not move', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 1);
  t.deepEqual(await bench.consume(counter, 1), ['exceeded', 1]);
  t.is(await redis.get(counter), '1');
});

test('consume: a limit of 0 -> exceeded, and no counter is made', async (t) => {
  const counter = bench.counter();
  t.deepEqual(await bench.consume(counter, 0), ['exceeded', 0]);
  t.is(await redis.exists(counter), 0);
});

test('consume: a limit that was lowered below the count -> exceeded', async (t) => {
  const counter = bench.counter();
  await redis.set(counter, '9');
  t.deepEqual(await bench.consume(counter, 5), ['exceeded', 9]);
});

test('consume: fifty at once for twenty units -> exactly twenty', async (t) => {
  const counter = bench.counter();
  const replies = await Promise.all(Array.from({ length: 50 }, () => bench.consume(counter, 20)));
  t.is(replies.filter(([status]) => status === 'consumed').length, 20);
  t.is(await redis.get(counter), '20');
});

test('consume: twice -> two units', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  t.deepEqual(await bench.consume(counter, 5), ['consumed', 2]);
});

test('consume: before or after its time -> not_now with Redis’s time, and no unit is taken', async (t) => {
  const counter = bench.counter();
  const now = await bench.now();
  for (const window of [{ from: now + 60_000 }, { deadline: now - 1 }]) {
    const [status, told] = await bench.consume(counter, 5, window);
    t.is(status, 'not_now');
    t.true(Number(told) >= now && Number(told) <= (await bench.now()));
  }
  t.is(await redis.exists(counter), 0);
});

test('consume several: enough are left -> all are taken, and one number says so', async (t) => {
  const counter = bench.counter();
  t.is(await bench.consumeAll(3, counter, 5), 3);
  t.is(await redis.get(counter), '3');
  t.is(await bench.consumeAll(2, counter, 5), 5);
});

test('consume several: fewer are left -> those are taken, and it says how many', async (t) => {
  const counter = bench.counter();
  await redis.set(counter, 3);
  t.deepEqual(await bench.consumeAll(4, counter, 5), ['exceeded', 2, 5]);
  t.is(await redis.get(counter), '5');
  t.deepEqual(await bench.consumeAll(4, counter, 5), ['exceeded', 0, 5]);
});

test('consume several: fewer tokens are left -> as many units are taken', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 2 };
  t.deepEqual(await bench.consumeAll(3, counter, 9, { rate }), ['throttled', 2, 2]);
  t.is(await redis.get(counter), '2');
  t.regex((await redis.get(bucket)) ?? '', /^2\.000 \d+$/);
});

test('consume several: outside of its time, or a bucket that is a list -> no unit is taken', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const reply = await bench.consumeAll(3, counter, 9, { deadline: 1 });
  t.is(Array.isArray(reply) && reply[0], 'not_now');
  await redis.rpush(bucket, 'x');
  await t.throwsAsync(bench.consumeAll(3, counter, 9, { rate: { bucket, perSecond: 2 } }));
  t.is(await redis.exists(counter), 0);
});

test('consume: beside keyed admissions -> one counter, one limit', async (t) => {
  const counter = bench.counter();
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0 ? bench.consume(counter, 15) : bench.admit(bench.key(), counter, { limit: 15 }),
    ),
  );
  t.is(replies.filter(([status]) => status === 'exceeded').length, 25);
  t.is(await redis.get(counter), '15');
});

test('refund: a unit was taken -> refunded, and the expiry stays', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  await bench.consume(counter, 5);
  await redis.expire(counter, 100);
  t.deepEqual(await bench.refund(counter), ['refunded', 1]);
  const ttl = await redis.ttl(counter);
  t.true(ttl > 0 && ttl <= 100);
});

test('refund: twice -> two units given back', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  await bench.consume(counter, 5);
  await bench.refund(counter);
  t.deepEqual(await bench.refund(counter), ['refunded', 0]);
});

test('refund: no counter -> empty, and none is made', async (t) => {
  const counter = bench.counter();
  t.deepEqual(await bench.refund(counter), ['empty', 0]);
  t.is(await redis.exists(counter), 0);
});

test('refund: a counter of zero -> empty, never below it', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  await bench.refund(counter);
  t.deepEqual(await bench.refund(counter), ['empty', 0]);
  t.is(await redis.get(counter), '0');
});

test('refund: given back to zero and taken again -> counted from there, and the counter expires', async (t) => {
  const counter = bench.counter();
  await bench.consume(counter, 5);
  await bench.refund(counter);
  t.deepEqual(await bench.consume(counter, 5), ['consumed', 1]);
  t.true((await redis.ttl(counter)) > 0);
});

test('refund: fifty at once for thirty units -> zero', async (t) => {
  const counter = bench.counter();
  await redis.set(counter, '30');
  const replies = await Promise.all(Array.from({ length: 50 }, () => bench.refund(counter)));
  t.is(replies.filter(([status]) => status === 'refunded').length, 30);
  t.is(await redis.get(counter), '0');
});
