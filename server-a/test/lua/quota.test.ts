import test from 'ava';
import { ScriptBench } from '../support/redis.js';

const bench = new ScriptBench();
test.after.always(() => bench.close());

const consume = (counter: string, limit: number, deadline = 0): Promise<unknown[]> =>
  bench.redis.quotaConsume(counter, limit, 86_400, deadline);

test('consume: the first unit -> consumed, and the counter expires within a day', async (t) => {
  const counter = bench.key();
  t.deepEqual(await consume(counter, 5), ['consumed', 1]);
  const ttl = await bench.redis.ttl(counter);
  t.true(ttl > 86_390 && ttl <= 86_400);
  t.is(await bench.redis.get(counter), '1');
});

test('consume: later units -> the expiry is not pushed on', async (t) => {
  const counter = bench.key();
  await consume(counter, 5);
  await bench.redis.expire(counter, 100);
  t.deepEqual(await consume(counter, 5), ['consumed', 2]);
  t.true((await bench.redis.ttl(counter)) <= 100);
});

test('consume: none left -> exceeded, and the counter does not move', async (t) => {
  const counter = bench.key();
  await consume(counter, 1);
  t.deepEqual(await consume(counter, 1), ['exceeded', 1]);
  t.is(await bench.redis.get(counter), '1');
});

test('consume: a limit of 0 -> exceeded, and no counter is made', async (t) => {
  const counter = bench.key();
  t.deepEqual(await consume(counter, 0), ['exceeded', 0]);
  t.is(await bench.redis.exists(counter), 0);
});

test('consume: a limit that was lowered below the count -> exceeded', async (t) => {
  const counter = bench.key();
  await bench.redis.set(counter, '9');
  t.deepEqual(await consume(counter, 5), ['exceeded', 9]);
});

test('consume: fifty at once for twenty units -> exactly twenty', async (t) => {
  const counter = bench.key();
  const replies = await Promise.all(Array.from({ length: 50 }, () => consume(counter, 20)));
  t.is(replies.filter(([status]) => status === 'consumed').length, 20);
  t.is(await bench.redis.get(counter), '20');
});

test('consume: run twice -> two units', async (t) => {
  const counter = bench.key();
  await consume(counter, 5);
  t.deepEqual(await consume(counter, 5), ['consumed', 2]);
});

test('consume: the deadline has passed -> late, and no unit is taken', async (t) => {
  const counter = bench.key();
  const now = await bench.now();
  const [status, told] = await consume(counter, 5, now - 1);
  t.is(status, 'late');
  t.true(Math.abs(Number(told) - now) < 5000);
  t.is(await bench.redis.exists(counter), 0);
});

test('refund: a unit was taken -> refunded, and the expiry stays', async (t) => {
  const counter = bench.key();
  await consume(counter, 5);
  await consume(counter, 5);
  t.deepEqual(await bench.redis.quotaRefund(counter), ['refunded', 1]);
  t.true((await bench.redis.ttl(counter)) > 86_000);
});

test('refund: nothing to give back -> empty, never below zero, no counter made', async (t) => {
  const counter = bench.key();
  t.deepEqual(await bench.redis.quotaRefund(counter), ['empty', 0]);
  t.is(await bench.redis.exists(counter), 0);
  await consume(counter, 5);
  await bench.redis.quotaRefund(counter);
  t.deepEqual(await bench.redis.quotaRefund(counter), ['empty', 0]);
  t.is(await bench.redis.get(counter), '0');
});

test('refund: fifty at once for thirty units -> zero', async (t) => {
  const counter = bench.key();
  await bench.redis.set(counter, '30');
  const replies = await Promise.all(Array.from({ length: 50 }, () => bench.redis.quotaRefund(counter)));
  t.is(replies.filter(([status]) => status === 'refunded').length, 30);
  t.is(await bench.redis.get(counter), '0');
});
