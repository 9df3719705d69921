import test from 'ava';
import { newId, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Asks about a key, and sees to it that neither its record nor the record's life has changed. */
async function asked(record: string): Promise<readonly unknown[]> {
  const before = [await redis.get(record), await redis.pexpiretime(record).catch(() => undefined)];
  const reply = await bench.lookUp(record);
  const after = [await redis.get(record), await redis.pexpiretime(record).catch(() => undefined)];
  if (JSON.stringify(before) !== JSON.stringify(after)) throw new Error(`changed: ${before} -> ${after}`);
  return reply;
}

/** Claims a new key. */
async function claimed() {
  const [record, counter, id] = [bench.key(), bench.counter(), newId()];
  await bench.admit(record, counter, { id, leaseMs: 30_000, lifeMs: 600_000 });
  return { record, counter, id };
}

test('look up: no record -> absent, and none is made', async (t) => {
  const record = bench.key();
  t.deepEqual(await asked(record), ['absent']);
  t.is(await redis.exists(record), 0);
});

test('look up: an attempt at work -> open, with what is left of life and lease; no unit is charged', async (t) => {
  const { record, counter, id } = await claimed();
  const [status, found, left, now, leaseLeft] = await asked(record);
  t.deepEqual([status, found], ['open', id]);
  t.true(Number(left) > 590_000 && Number(left) <= 600_000);
  t.true(Math.abs(Number(now) - (await bench.now())) < 5000);
  t.true(Number(leaseLeft) > 20_000 && Number(leaseLeft) <= 30_000);
  t.is(await redis.get(counter), '1');
});

test('look up: the lease is over -> open, and no lease left', async (t) => {
  const { record, id } = await claimed();
  await bench.endLease(record);
  const [status, found, , , leaseLeft] = await asked(record);
  t.deepEqual([status, found, leaseLeft], ['open', id, 0]);
});

test('look up: accepted, or refused -> answered, with status and body', async (t) => {
  const { record, id } = await claimed();
  await bench.settle(record, 'answered', { id, durationMs: 60_000 });
  const [status, found, left, , code, body] = await asked(record);
  t.deepEqual([status, found, code, body], ['answered', id, 202, '']);
  t.true(Number(left) > 50_000 && Number(left) <= 60_000);
  const refused = bench.key();
  await bench.refuse(refused, { id, status: 409, body: '{"n":1}' });
  t.deepEqual((await asked(refused)).slice(4), [409, '{"n":1}']);
});

test('look up: a record without an end -> its life is below 0', async (t) => {
  const { record } = await claimed();
  await redis.persist(record);
  t.is((await asked(record))[2], -1);
});

test('look up: a record of an unknown version -> unreadable', async (t) => {
  const record = bench.key();
  await redis.set(record, `2A${newId()}`, 'PX', 600_000);
  t.deepEqual(await asked(record), ['unreadable']);
});
