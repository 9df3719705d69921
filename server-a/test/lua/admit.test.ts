/**
 * The script that claims a key and charges its unit.
 *
 * Over 250 lines: one test for each answer of the script, in the order of its header.
 */
import test from 'ava';
import { DIGEST, newId, OTHER_DIGEST, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Everything that an admission could change. */
async function stateOf(record: string, counter: string): Promise<readonly (string | null)[]> {
  return redis.mget(record, counter);
}

/** Claims a new key; returns where. */
async function claimed(given: Parameters<ScriptBench['admit']>[2] = {}) {
  const [record, counter, id] = [bench.key(), bench.counter(), newId()];
  await bench.admit(record, counter, { id, ...given });
  return { record, counter, id };
}

/** A key whose first attempt, `me`, has not ended in time. */
async function abandoned(given: Parameters<ScriptBench['admit']>[2] = {}) {
  const key = await claimed(given);
  await bench.endLease(key.record);
  return key;
}

test('admit: a new key -> admitted under the id given, charged, with both lives', async (t) => {
  const [record, counter, id] = [bench.key(), bench.counter(), newId()];
  t.deepEqual(await bench.admit(record, counter, { id, lifeMs: 600_000 }), ['admitted', id, 0, 1]);
  const life = await redis.pttl(record);
  t.true(life > 590_000 && life <= 600_000);
  t.is(await redis.get(counter), '1');
  const counterLife = await redis.ttl(counter);
  t.true(counterLife > 86_390 && counterLife <= 86_400);
});

test('admit: the record of a claim -> the documented form, with the day that was charged', async (t) => {
  const [record, counter, id] = [bench.key(), bench.counter('2026-11-24'), newId()];
  const before = await bench.now();
  await bench.admit(record, counter, { id, owner: 'me', leaseMs: 30_000 });
  const { leaseUntil, ...rest } = await bench.openRecord(record);
  t.deepEqual(rest, { id, digest: DIGEST, uncertain: 0, day: '2026-11-24', owner: 'me' });
  t.true(leaseUntil >= before + 30_000 && leaseUntil <= (await bench.now()) + 30_000);
});

test('admit: a second key -> charged on the same counter, whose expiry is not pushed on', async (t) => {
  const { counter } = await claimed();
  await redis.expire(counter, 100);
  t.is((await bench.admit(bench.key(), counter))[3], 2);
  t.true((await redis.ttl(counter)) <= 100);
});

test('admit: a counter that was given back to zero -> charged, and it expires', async (t) => {
  const { record, counter } = await claimed();
  await bench.settle(record, 'not_sent', { counter });
  t.is((await bench.admit(bench.key(), counter))[3], 1);
  t.true((await redis.ttl(counter)) > 0);
});

test('admit: another attempt is at work -> in_flight, with its id and what is left of its lease', async (t) => {
  const { record, counter, id } = await claimed({ leaseMs: 30_000 });
  const before = await stateOf(record, counter);
  const [status, kept, leaseLeft, mismatch] = await bench.admit(record, counter, { owner: 'other' });
  t.deepEqual([status, kept, mismatch], ['in_flight', id, 0]);
  t.true(Number(leaseLeft) > 0 && Number(leaseLeft) <= 30_000);
  t.deepEqual(await stateOf(record, counter), before);
});

test('admit: by the same owner again -> admitted again, and nothing changes', async (t) => {
  const { record, counter, id } = await claimed();
  const before = await stateOf(record, counter);
  t.deepEqual(await bench.admit(record, counter, { id: newId() }), ['admitted', id, 0, 1]);
  t.deepEqual(await stateOf(record, counter), before);
});

test('admit: by the same owner again after its lease -> admitted again, certain as before', async (t) => {
  const { record, counter, id } = await abandoned();
  const before = await stateOf(record, counter);
  t.deepEqual(await bench.admit(record, counter), ['admitted', id, 0, 1]);
  t.deepEqual(await stateOf(record, counter), before);
});

test('admit: by the same owner again, which took the key over -> its first result again', async (t) => {
  const { record, counter } = await abandoned();
  const first = await bench.admit(record, counter, { owner: 'other' });
  t.deepEqual(await bench.admit(record, counter, { owner: 'other' }), first);
});

test('admit: an owner whose name only begins like the owner’s -> in_flight', async (t) => {
  const { record, counter } = await claimed({ owner: 'owner-12' });
  t.is((await bench.admit(record, counter, { owner: 'owner-1' }))[0], 'in_flight');
});

test('admit: the lease is over -> taken over under the first id, uncertain and not charged', async (t) => {
  const { record, counter, id } = await abandoned();
  const other = { owner: 'other', id: newId(), leaseMs: 30_000 };
  const before = await bench.now();
  t.deepEqual(await bench.admit(record, counter, other), ['admitted', id, 1, 0]);
  const { leaseUntil, ...rest } = await bench.openRecord(record);
  t.deepEqual(rest, { id, digest: DIGEST, uncertain: 1, day: '2026-11-23', owner: 'other' });
  t.true(leaseUntil >= before + 30_000 && leaseUntil <= (await bench.now()) + 30_000);
  t.is(await redis.get(counter), '1');
});

test('admit: taken over on another day, with no unit left -> not charged, and the first day stays the one charged', async (t) => {
  const { record, counter } = await abandoned();
  const nextDay = bench.counter('2026-11-24');
  t.is((await bench.admit(record, nextDay, { owner: 'other', limit: 0 }))[0], 'admitted');
  t.is(await redis.exists(nextDay), 0);
  t.is(await redis.get(counter), '1');
  t.is((await bench.openRecord(record)).day, '2026-11-23');
});

test('admit: taken over -> the first claim’s expiry is kept', async (t) => {
  const { record, counter } = await abandoned();
  await redis.pexpire(record, 300_000);
  await bench.admit(record, counter, { owner: 'other', lifeMs: 600_000, minLifeMs: 75_000 });
  const life = await redis.pttl(record);
  t.true(life > 290_000 && life <= 300_000);
});

test('admit: taken over shortly before the expiry -> the least life is given', async (t) => {
  const { record, counter } = await abandoned();
  await redis.pexpire(record, 30_000);
  await bench.admit(record, counter, { owner: 'other', lifeMs: 600_000, minLifeMs: 75_000 });
  const life = await redis.pttl(record);
  t.true(life > 65_000 && life <= 75_000);
});

test('admit: taken over without an expiry, which somebody has taken away -> still without one', async (t) => {
  const { record, counter, id } = await abandoned();
  await redis.persist(record);
  t.deepEqual(await bench.admit(record, counter, { owner: 'other' }), ['admitted', id, 1, 0]);
  t.is(await redis.pttl(record), -1);
});

test('admit: taken over and abandoned once more -> still uncertain, still not charged', async (t) => {
  const { record, counter, id } = await abandoned();
  await bench.admit(record, counter, { owner: 'second' });
  await bench.endLease(record);
  t.deepEqual(await bench.admit(record, counter, { owner: 'third' }), ['admitted', id, 1, 0]);
  t.is((await bench.openRecord(record)).uncertain, 1);
  t.is(await redis.get(counter), '1');
});

for (const strict of [false, true]) {
  test(`admit: open after its lease, another body, strict ${strict} -> open, and untouched`, async (t) => {
    const { record, counter, id } = await abandoned();
    const before = await stateOf(record, counter);
    const reply = await bench.admit(record, counter, { owner: 'other', digest: OTHER_DIGEST, strict });
    t.deepEqual(reply, ['open', id, 1]);
    t.deepEqual(await stateOf(record, counter), before);
  });
}

test('admit: another body while an attempt is at work -> mismatch reported, or refused when strict', async (t) => {
  const { record, counter, id } = await claimed();
  const other = { owner: 'other', digest: OTHER_DIGEST };
  const [status, , , mismatch] = await bench.admit(record, counter, other);
  t.deepEqual([status, mismatch], ['in_flight', 1]);
  t.deepEqual(await bench.admit(record, counter, { ...other, strict: true }), ['mismatch', id]);
});

test('admit: answered 202 -> answered, with no body (it follows from the id)', async (t) => {
  const { record, counter, id } = await claimed();
  await bench.settle(record, 'answered', { id, durationMs: 30_000 });
  t.deepEqual(await bench.admitAll([{ record }], counter), [1, [id]]);
  const [status, kept, code, body, leftMs, mismatch] = await bench.admit(record, counter, {
    digest: OTHER_DIGEST,
  });
  t.deepEqual([status, kept, code, body, mismatch], ['answered', id, 202, '', 1]);
  t.true(Number(leftMs) > 0 && Number(leftMs) <= 30_000);
  t.is(await redis.get(counter), '1');
});

test('admit: a refusal is stored -> answered, with its exact bytes, and not charged', async (t) => {
  const [record, counter, id] = [bench.key(), bench.counter(), newId()];
  const body = '{"error_code":"INVALID_PAYLOAD","message":"€ 😀 \\u0000"}';
  await bench.refuse(record, { id, status: 422, body });
  t.deepEqual((await bench.admit(record, counter)).slice(0, 4), ['answered', id, 422, body]);
  t.is(await redis.exists(counter), 0);
});

test('admit: answered, another body -> mismatch reported, or refused when strict', async (t) => {
  const { record, counter, id } = await claimed();
  await bench.settle(record, 'answered', { id, durationMs: 30_000 });
  t.is((await bench.admit(record, counter, { digest: OTHER_DIGEST }))[5], 1);
  const strict = { digest: OTHER_DIGEST, strict: true };
  t.deepEqual(await bench.admit(record, counter, strict), ['mismatch', id]);
  t.is((await bench.admit(record, counter, { strict: true }))[0], 'answered');
});

test('admit: no unit is left -> exceeded, and nothing is left behind', async (t) => {
  const { counter } = await claimed();
  const record = bench.key();
  t.deepEqual(await bench.admit(record, counter, { limit: 1 }), ['exceeded', 1]);
  t.deepEqual(await stateOf(record, counter), [null, '1']);
});

test('admit: a limit of 0 -> exceeded, with neither record nor counter', async (t) => {
  const [record, counter] = [bench.key(), bench.counter()];
  t.deepEqual(await bench.admit(record, counter, { limit: 0 }), ['exceeded', 0]);
  t.deepEqual(await stateOf(record, counter), [null, null]);
});

test('admit: before or after its time -> not_now with Redis’s time, whatever stands under the key, and nothing changes', async (t) => {
  const refused = bench.key();
  await bench.refuse(refused);
  const keys = [{ record: bench.key() }, await claimed(), await abandoned(), { record: refused }];
  for (const { record } of keys) {
    const counter = bench.counter();
    const before = await stateOf(record, counter);
    const now = await bench.now();
    for (const window of [{ from: now + 60_000 }, { deadline: now - 1 }]) {
      const [status, told] = await bench.admit(record, counter, { owner: 'other', ...window });
      t.is(status, 'not_now');
      t.true(Number(told) >= now && Number(told) <= (await bench.now()));
    }
    t.deepEqual(await stateOf(record, counter), before);
  }
});

test('admit: within its time -> admitted', async (t) => {
  const now = await bench.now();
  const window = { from: now, deadline: now + 60_000 };
  t.is((await bench.admit(bench.key(), bench.counter(), window))[0], 'admitted');
});

test('admit: a record of an unknown version, or cut short -> unreadable, untouched and not charged', async (t) => {
  const { record: own } = await claimed();
  const value = (await redis.get(own)) ?? '';
  const otherVersions = [`2${value.slice(1)}`, `1X${value.slice(2)}`, `C${value.slice(2)}`, '1', 'x'];
  const answered = `1A${value.slice(2, 48)}202`;
  const cutShort = [2, 38, 48, 50, 62, 72].map((end) => value.slice(0, end));
  const answeredCutShort = [2, 38, 48, 50].map((end) => answered.slice(0, end));
  for (const foreign of [...otherVersions, ...cutShort, ...answeredCutShort]) {
    const [record, counter] = [bench.key(), bench.counter()];
    await redis.set(record, foreign, 'PX', 600_000);
    t.deepEqual(await bench.admit(record, counter), ['unreadable'], foreign);
    t.deepEqual(await stateOf(record, counter), [foreign, null]);
  }
});

test('admit: fifty twins at once -> one is admitted and charged, and all are told its id', async (t) => {
  const [record, counter] = [bench.key(), bench.counter()];
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => bench.admit(record, counter, { owner: `owner-${n}` })),
  );
  t.is(replies.filter(([status]) => status === 'admitted').length, 1);
  t.is(new Set(replies.map(([, id]) => id)).size, 1);
  t.is(await redis.get(counter), '1');
});

test('admit: fifty keys at once for twenty units -> twenty are admitted, and only they have a record', async (t) => {
  const counter = bench.counter();
  const records = Array.from({ length: 50 }, () => bench.key());
  const replies = await Promise.all(records.map((record) => bench.admit(record, counter, { limit: 20 })));
  t.is(replies.filter(([status]) => status === 'admitted').length, 20);
  t.is(await redis.get(counter), '20');
  t.is(await redis.exists(...records), 20);
});
