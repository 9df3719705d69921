import test from 'ava';
import { DIGEST, newId, OTHER_DIGEST, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Claims a new key for `me`. */
async function claimed() {
  const [record, counter, id] = [bench.key(), bench.counter(), newId()];
  await bench.admit(record, counter, { id, leaseMs: 30_000 });
  return { record, counter, id };
}

/** A key whose attempt has not ended in time. */
async function abandoned() {
  const key = await claimed();
  await bench.endLease(key.record);
  return key;
}

test('refuse: a new key -> refused, stored in the documented form with the life given', async (t) => {
  const [record, id] = [bench.key(), newId()];
  const body = '{"message":"€ 😀 \\u0000"}';
  t.deepEqual(await bench.refuse(record, { id, status: 409, body, lifeMs: 30_000 }), ['refused', 0]);
  t.is(await redis.get(record), `1A${id}${DIGEST}409${body}`);
  const life = await redis.pttl(record);
  t.true(life > 0 && life <= 30_000);
});

test('refuse: twice -> answered with the first refusal itself', async (t) => {
  const [record, id] = [bench.key(), newId()];
  await bench.refuse(record, { id, status: 400, body: '{"n":1}', lifeMs: 30_000 });
  const reply = await bench.refuse(record, { status: 409, body: '{"n":2}', lifeMs: 60_000 });
  t.deepEqual([...reply.slice(0, 4), reply[5]], ['answered', id, 400, '{"n":1}', 0]);
  t.true(Number(reply[4]) > 0 && Number(reply[4]) <= 30_000);
});

test('refuse: ask only -> refused, and nothing is stored', async (t) => {
  const record = bench.key();
  t.deepEqual(await bench.refuse(record, { lifeMs: 0 }), ['refused', 0]);
  t.is(await redis.exists(record), 0);
});

test('refuse: as many of the client’s are stored as may be -> refused, with word that it is not stored', async (t) => {
  const [count, record] = [bench.key(), bench.key()];
  for (let n = 0; n < 3; n += 1) {
    t.deepEqual(await bench.refuse(bench.key(), { count, most: 3 }), ['refused', 0]);
  }
  t.deepEqual(await bench.refuse(record, { count, most: 3 }), ['refused', 1]);
  t.is(await redis.exists(record), 0);
  t.is(await redis.get(count), '3');
  const life = await redis.ttl(count);
  t.true(life > 86_000 && life <= 86_400);
});

test('refuse: the count is full -> stored refusals are told as ever, and a higher limit holds at once', async (t) => {
  const [count, record, id] = [bench.key(), bench.key(), newId()];
  await bench.refuse(record, { id, count, most: 1 });
  t.deepEqual((await bench.refuse(record, { count, most: 1 })).slice(0, 2), ['answered', id]);
  t.deepEqual(await bench.refuse(bench.key(), { count, most: 2 }), ['refused', 0]);
});

test('refuse: not stored, since only asked, told of a record, or out of time -> not counted', async (t) => {
  const count = bench.key();
  const { record } = await claimed();
  await bench.refuse(bench.key(), { count, lifeMs: 0 });
  await bench.refuse(record, { count });
  await bench.refuse(bench.key(), { count, deadline: 1 });
  t.is(await redis.exists(count), 0);
});

test('refuse: a hundred keys at once, room for forty -> forty are stored', async (t) => {
  const count = bench.key();
  const records = Array.from({ length: 100 }, () => bench.key());
  const replies = await Promise.all(records.map((record) => bench.refuse(record, { count, most: 40 })));
  t.is(replies.filter(([, tooMany]) => tooMany === 1).length, 60);
  t.is(await redis.exists(...records), 40);
});

test('refuse: whatever stands under the key -> told, and never replaced', async (t) => {
  const [working, open, accepted] = [await claimed(), await abandoned(), await claimed()];
  await bench.settle(accepted.record, 'answered', { id: accepted.id, durationMs: 60_000 });
  for (const lifeMs of [0, 600_000]) {
    for (const [{ record, id }, told] of [
      [working, 'in_flight'],
      [open, 'open'],
      [accepted, 'answered'],
    ] as const) {
      const before = await redis.get(record);
      t.deepEqual((await bench.refuse(record, { lifeMs })).slice(0, 2), [told, id]);
      t.is(await redis.get(record), before);
    }
  }
});

test('refuse: an attempt is at work -> in_flight, with what is left of its lease', async (t) => {
  const { record, id } = await claimed();
  const [status, kept, leaseLeft, mismatch] = await bench.refuse(record);
  t.deepEqual([status, kept, mismatch], ['in_flight', id, 0]);
  t.true(Number(leaseLeft) > 0 && Number(leaseLeft) <= 30_000);
});

test('refuse: open, the same body or an unreadable one -> open without a mismatch', async (t) => {
  const { record, id } = await abandoned();
  t.deepEqual(await bench.refuse(record), ['open', id, 0]);
  t.deepEqual(await bench.refuse(record, { digest: '', strict: true, lifeMs: 0 }), ['open', id, 0]);
});

test('refuse: open, another body -> open with a mismatch, strict or not', async (t) => {
  const { record, id } = await abandoned();
  const before = await redis.get(record);
  for (const strict of [false, true]) {
    t.deepEqual(await bench.refuse(record, { digest: OTHER_DIGEST, strict }), ['open', id, 1]);
  }
  t.is(await redis.get(record), before);
});

test('refuse: answered or in flight, another body -> mismatch reported, or refused when strict', async (t) => {
  const [working, accepted] = [await claimed(), await claimed()];
  await bench.settle(accepted.record, 'answered', { id: accepted.id, durationMs: 60_000 });
  for (const { record, id } of [working, accepted]) {
    t.is((await bench.refuse(record, { digest: OTHER_DIGEST })).at(-1), 1);
    t.deepEqual(await bench.refuse(record, { digest: OTHER_DIGEST, strict: true }), ['mismatch', id]);
  }
});

test('refuse: an unreadable body -> contradicts no other body, however strict', async (t) => {
  const { record, id } = await claimed();
  await bench.settle(record, 'answered', { id, durationMs: 60_000 });
  const reply = await bench.refuse(record, { digest: '', strict: true, lifeMs: 0 });
  t.deepEqual([reply[0], reply[1], reply[5]], ['answered', id, 0]);
});

test('refuse: before or after its time -> not_now with Redis’s time, and nothing is stored', async (t) => {
  const record = bench.key();
  const now = await bench.now();
  for (const window of [{ from: now + 60_000 }, { deadline: now - 1 }]) {
    const [status, told] = await bench.refuse(record, window);
    t.is(status, 'not_now');
    t.true(Number(told) >= now && Number(told) <= (await bench.now()));
  }
  t.is(await redis.exists(record), 0);
});

test('refuse: a record of an unknown version -> unreadable, and untouched', async (t) => {
  const record = bench.key();
  await redis.set(record, `2A${newId()}`, 'PX', 600_000);
  const before = await redis.get(record);
  t.deepEqual(await bench.refuse(record), ['unreadable']);
  t.is(await redis.get(record), before);
});

test('refuse: fifty at once beside fifty admissions -> one of all of them has the key', async (t) => {
  const [record, counter] = [bench.key(), bench.counter()];
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      n % 2 === 0 ? bench.refuse(record) : bench.admit(record, counter, { owner: `owner-${n}` }),
    ),
  );
  const firsts = replies.filter(([status]) => status === 'refused' || status === 'admitted');
  t.is(firsts.length, 1);
});
