import test from 'ava';
import { quotaCounterKey, recentUnitsKey } from '../../src/redis/keys.js';
import { ScriptBench } from '../support/redis.js';

const bench = new ScriptBench();
test.after.always(() => bench.close());

interface Unit {
  readonly deadline?: number;
  readonly token?: string;
  /** Tokens of dead attempts. */
  readonly dead?: string;
  /** Tokens that are remembered. */
  readonly kept?: number;
}

let units = 0;

function consume(counter: string, limit: number, unit: Unit = {}): Promise<unknown[]> {
  units += 1;
  const { deadline = 0, token = `unit-${units}`, dead = '', kept = 100 } = unit;
  const recent = recentUnitsKey(counter);
  return bench.redis.quotaConsume(counter, recent, limit, 86_400, deadline, token, dead, kept, 60);
}

const refund = (counter: string, token: string, certain: 0 | 1 = 0): Promise<unknown[]> =>
  bench.redis.quotaRefund(counter, recentUnitsKey(counter), token, certain);

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
  const [status, told] = await consume(counter, 5, { deadline: now - 1 });
  t.is(status, 'late');
  t.true(Math.abs(Number(told) - now) < 5000);
  t.is(await bench.redis.exists(counter), 0);
});

test('consume: the tokens of the latest units -> remembered, as many as asked, and not for long', async (t) => {
  const counter = bench.key();
  for (const token of ['a', 'b', 'c', 'd']) await consume(counter, 9, { token, kept: 3 });
  const recent = recentUnitsKey(counter);
  t.deepEqual(await bench.redis.lrange(recent, 0, -1), ['d', 'c', 'b']);
  const ttl = await bench.redis.ttl(recent);
  t.true(ttl > 50 && ttl <= 60);
});

test('consume: a dead attempt that took a unit -> it is gone on with, and belongs to the new token alone', async (t) => {
  const counter = bench.key();
  await consume(counter, 1, { token: 'dead' });
  t.deepEqual(await consume(counter, 1, { token: 'heir', dead: 'later dead' }), ['consumed', 1]);
  t.deepEqual(await refund(counter, 'dead'), ['empty', 1]);
  t.deepEqual(await refund(counter, 'heir'), ['refunded', 0]);
});

test('consume: a dead attempt that took none -> a unit is taken, or refused, as ever', async (t) => {
  const counter = bench.key();
  t.deepEqual(await consume(counter, 1, { dead: 'dead' }), ['consumed', 1]);
  t.deepEqual(await consume(counter, 1, { dead: 'dead' }), ['exceeded', 1]);
});

test('consume: the keys of a counter and its tokens -> in one slot of a cluster', async (t) => {
  const hashTag = (key: string): string => /\{(.+?)\}/.exec(key)?.[1] ?? key;
  const counter = quotaCounterKey('quota', 'an-api-key', '2026-11-23');
  t.is(hashTag(recentUnitsKey(counter)), counter);
});

test('refund: a unit was taken -> refunded, and the expiry stays', async (t) => {
  const counter = bench.key();
  await consume(counter, 5, { token: 'one' });
  await consume(counter, 5, { token: 'two' });
  t.deepEqual(await refund(counter, 'one'), ['refunded', 1]);
  t.true((await bench.redis.ttl(counter)) > 86_000);
});

test('refund: run twice -> one unit given back', async (t) => {
  const counter = bench.key();
  await consume(counter, 5, { token: 'one' });
  await consume(counter, 5, { token: 'two' });
  t.deepEqual(await refund(counter, 'one'), ['refunded', 1]);
  t.deepEqual(await refund(counter, 'one'), ['empty', 1]);
});

test('refund: a token that took nothing -> empty; taken for certain, but forgotten -> refunded', async (t) => {
  const counter = bench.key();
  await consume(counter, 5, { token: 'one' });
  t.deepEqual(await refund(counter, 'nobody'), ['empty', 1]);
  await bench.redis.del(recentUnitsKey(counter));
  t.deepEqual(await refund(counter, 'one'), ['empty', 1]);
  t.deepEqual(await refund(counter, 'one', 1), ['refunded', 0]);
});

test('refund: nothing to give back -> empty, never below zero, no counter made', async (t) => {
  const counter = bench.key();
  t.deepEqual(await refund(counter, 'one', 1), ['empty', 0]);
  t.is(await bench.redis.exists(counter), 0);
  await consume(counter, 5, { token: 'one' });
  await refund(counter, 'one', 1);
  t.deepEqual(await refund(counter, 'one', 1), ['empty', 0]);
  t.is(await bench.redis.get(counter), '0');
});

test('refund: fifty at once for thirty units -> zero', async (t) => {
  const counter = bench.key();
  await bench.redis.set(counter, '30');
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => refund(counter, `t${n}`, 1)));
  t.is(replies.filter(([status]) => status === 'refunded').length, 30);
  t.is(await bench.redis.get(counter), '0');
});
