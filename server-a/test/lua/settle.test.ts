import test from 'ava';
import { DIGEST, newId, ScriptBench } from '../support/redis.js';

const ENDINGS = ['answered', 'not_sent', 'held', 'unknown'] as const;

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Ends an attempt in any way, as the gateway would. */
function end(key: { record: string; counter: string; id: string }, ending: (typeof ENDINGS)[number]) {
  const { record, counter, id } = key;
  return bench.settle(record, ending, {
    id,
    durationMs: ending === 'answered' || ending === 'held' ? 60_000 : 0,
    ...(ending === 'not_sent' && { counter }),
  });
}

const stateOf = ({ record, counter }: { record: string; counter: string }) => redis.mget(record, counter);

test('settle answered: by the owner -> stored in the documented form with the answer’s life; the unit stays', async (t) => {
  const { record, counter, id } = await bench.claimed();
  const reply = await bench.settle(record, 'answered', { id, durationMs: 30_000 });
  t.deepEqual(reply, ['answered', id, 202, '', 30_000, 0]);
  t.deepEqual(await stateOf({ record, counter }), [`1A${id}${DIGEST}202`, '1']);
  const life = await redis.pttl(record);
  t.true(life > 0 && life <= 30_000);
});

test('settle answered: twice -> the same answer, and its life is not prolonged', async (t) => {
  const { record, id } = await bench.claimed();
  await bench.settle(record, 'answered', { id, durationMs: 30_000 });
  const [status, kept, http] = await bench.settle(record, 'answered', { id, durationMs: 60_000 });
  t.deepEqual([status, kept, http], ['answered', id, 202]);
  t.true((await redis.pttl(record)) <= 30_000);
});

test('settle answered: Redis has forgotten the key -> stored anew', async (t) => {
  const [record, id] = [bench.key(), newId()];
  t.is((await bench.settle(record, 'answered', { id, durationMs: 30_000 }))[0], 'answered');
  t.is(await redis.get(record), `1A${id}${DIGEST}202`);
});

test('settle answered: by an attempt that lost the key -> stored all the same, for a confirm is a fact', async (t) => {
  const key = await bench.takenOver();
  t.is((await end(key, 'answered'))[0], 'answered');
  t.deepEqual(await stateOf(key), [`1A${key.id}${DIGEST}202`, '1']);
});

for (const ending of ['not_sent', 'held', 'unknown'] as const) {
  test(`settle ${ending}: by the owner, after another attempt stored its 202 -> told that answer, and nothing changes`, async (t) => {
    const key = await bench.takenOver({ owner: 'successor' });
    await end(key, 'answered');
    const before = await stateOf(key);
    const reply = await bench.settle(key.record, ending, {
      owner: 'successor',
      id: key.id,
      ...(ending === 'not_sent' && { counter: key.counter }),
    });
    t.deepEqual(reply.slice(0, 4), ['answered', key.id, 202, '']);
    t.deepEqual(await stateOf(key), before);
  });
}

test('settle answered: over a refusal under the same id -> the 202 wins', async (t) => {
  const [record, id] = [bench.key(), newId()];
  await bench.refuse(record, { id, status: 429 });
  await bench.settle(record, 'answered', { id, durationMs: 30_000 });
  t.is(await redis.get(record), `1A${id}${DIGEST}202`);
});

test('settle answered: the key has another id -> told what stands, and nothing changes', async (t) => {
  const open = await bench.claimed();
  const answered = await bench.claimed();
  await end(answered, 'answered');
  const refused = { record: bench.key(), counter: bench.counter(), id: newId() };
  await bench.refuse(refused.record, { id: refused.id, status: 400, body: '{"a":1}' });
  for (const [key, told] of [
    [open, ['open', open.id, 0]],
    [answered, ['answered', answered.id, 202, '']],
    [refused, ['answered', refused.id, 400, '{"a":1}']],
  ] as const) {
    const before = await stateOf(key);
    const reply = await bench.settle(key.record, 'answered', { id: newId(), durationMs: 30_000 });
    t.deepEqual(reply.slice(0, told.length), told);
    t.deepEqual(await stateOf(key), before);
  }
});

test('settle not_sent: by the owner -> withdrawn: the record is gone and the unit given back', async (t) => {
  const key = await bench.claimed();
  t.deepEqual(await end(key, 'not_sent'), ['withdrawn']);
  t.deepEqual(await stateOf(key), [null, '0']);
  t.true((await redis.ttl(key.counter)) > 0);
});

test('settle not_sent: twice -> one unit given back', async (t) => {
  const key = await bench.claimed();
  await bench.admit(bench.key(), key.counter);
  await end(key, 'not_sent');
  t.deepEqual(await end(key, 'not_sent'), ['absent']);
  t.is(await redis.get(key.counter), '1');
});

test('settle not_sent: the counter has expired -> withdrawn, and no counter is made', async (t) => {
  const key = await bench.claimed();
  await redis.del(key.counter);
  t.deepEqual(await end(key, 'not_sent'), ['withdrawn']);
  t.deepEqual(await stateOf(key), [null, null]);
});

test('settle not_sent: by an owner that took the key over -> open with its lease over, and the unit stays', async (t) => {
  const { record, counter, id } = await bench.takenOver();
  await redis.pexpire(record, 300_000);
  const reply = await bench.settle(record, 'not_sent', { owner: 'successor', id, counter });
  t.deepEqual(reply, ['open', id, 0]);
  const { uncertain, leaseUntil, owner } = await bench.openRecord(record);
  t.deepEqual([uncertain, leaseUntil, owner], [1, 0, 'successor']);
  t.is(await redis.get(counter), '1');
  const life = await redis.pttl(record);
  t.true(life > 290_000 && life <= 300_000);
});

test('settle held: by the owner -> a longer lease: still in flight for others, and the owner can answer', async (t) => {
  const { record, counter, id } = await bench.claimed({ leaseMs: 50 });
  const before = await bench.now();
  t.deepEqual(await bench.settle(record, 'held', { id, durationMs: 30_000 }), ['open', id, 0]);
  const { leaseUntil } = await bench.openRecord(record);
  t.true(leaseUntil >= before + 30_000 && leaseUntil <= (await bench.now()) + 30_000);
  t.is((await bench.admit(record, counter, { owner: 'other' }))[0], 'in_flight');
  t.is((await end({ record, counter, id }, 'answered'))[0], 'answered');
});

test('settle held: twice -> the lease is extended', async (t) => {
  const { record, id } = await bench.claimed();
  await bench.settle(record, 'held', { id, durationMs: 1000 });
  await bench.settle(record, 'held', { id, durationMs: 60_000 });
  t.true((await bench.openRecord(record)).leaseUntil > (await bench.now()) + 30_000);
});

test('settle held: the record would expire first -> it lives as long as the lease; otherwise its expiry is kept', async (t) => {
  const [short, long] = [await bench.claimed(), await bench.claimed()];
  await redis.pexpire(short.record, 10_000);
  await redis.pexpire(long.record, 300_000);
  await bench.settle(short.record, 'held', { durationMs: 60_000 });
  await bench.settle(long.record, 'held', { durationMs: 60_000 });
  const [shortLife, longLife] = [await redis.pttl(short.record), await redis.pttl(long.record)];
  t.true(shortLife > 50_000 && shortLife <= 60_000);
  t.true(longLife > 290_000 && longLife <= 300_000);
});

for (const ending of ['held', 'unknown', 'not_sent'] as const) {
  test(`settle ${ending}: a record whose expiry somebody has taken away -> open, and still without one`, async (t) => {
    const { record, counter, id } = await bench.takenOver();
    await redis.persist(record);
    const reply = await bench.settle(record, ending, {
      owner: 'successor',
      id,
      durationMs: ending === 'held' ? 60_000 : 0,
      ...(ending === 'not_sent' && { counter }),
    });
    t.deepEqual(reply, ['open', id, 0]);
    t.is(await redis.pttl(record), -1);
  });
}

test('settle unknown: by the owner -> open with its lease over: the next attempt takes over at once', async (t) => {
  const key = await bench.claimed();
  await redis.pexpire(key.record, 300_000);
  t.deepEqual(await end(key, 'unknown'), ['open', key.id, 0]);
  t.is((await bench.openRecord(key.record)).leaseUntil, 0);
  const life = await redis.pttl(key.record);
  t.true(life > 290_000 && life <= 300_000);
  const next = await bench.admit(key.record, key.counter, { owner: 'other' });
  t.deepEqual(next, ['admitted', key.id, 1, 0]);
  t.is(await redis.get(key.counter), '1');
});

for (const ending of ['not_sent', 'held', 'unknown'] as const) {
  test(`settle ${ending}: by an attempt that lost the key -> open, and nothing changes`, async (t) => {
    const key = await bench.takenOver();
    const before = await stateOf(key);
    t.deepEqual(await end(key, ending), ['open', key.id, 0]);
    t.deepEqual(await stateOf(key), before);
  });

  test(`settle ${ending}: an owner whose name only begins like the owner’s -> open, and nothing changes`, async (t) => {
    const key = await bench.claimed({ owner: 'me-too' });
    const before = await stateOf(key);
    t.deepEqual(await end(key, ending), ['open', key.id, 0]);
    t.deepEqual(await stateOf(key), before);
  });

  test(`settle ${ending}: no record -> absent, and nothing is made or given back`, async (t) => {
    const key = { record: bench.key(), counter: bench.counter(), id: newId() };
    await bench.admit(bench.key(), key.counter);
    t.deepEqual(await end(key, ending), ['absent']);
    t.deepEqual(await stateOf(key), [null, '1']);
  });
}

for (const ending of ENDINGS) {
  test(`settle ${ending}: a record of an unknown version -> unreadable, and nothing changes`, async (t) => {
    const key = await bench.claimed();
    const foreign = `2${(await redis.get(key.record))?.slice(1)}`;
    await redis.set(key.record, foreign, 'PX', 600_000);
    t.deepEqual(await end(key, ending), ['unreadable']);
    t.deepEqual(await stateOf(key), [foreign, '1']);
  });
}
