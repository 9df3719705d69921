/** The script that claims keys, given several of them. */
import test from 'ava';
import { asList } from '../support/json.js';
import { DIGEST, newId, OTHER_DIGEST, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Returns new keys with their ids. */
function newKeys(count: number) {
  return Array.from({ length: count }, () => ({ record: bench.key(), id: newId() }));
}

/** What each key is told: a reply's status, or the units used where it is claimed. */
const told = (replies: unknown): readonly unknown[] =>
  asList(replies).map((reply) => (Array.isArray(reply) ? reply[0] : reply));

test('admit several: new keys -> claimed and charged each, for its own owner, with one counter and one number', async (t) => {
  const counter = bench.counter('2026-11-24');
  const keys = newKeys(3).map((key, index) => ({ ...key, owner: `owner-${index}` }));
  t.is(await bench.admitAll(keys, counter, { leaseMs: 30_000, lifeMs: 400_000 }), 3);
  t.is(await redis.get(counter), '3');
  const life = await redis.ttl(counter);
  t.true(life > 86_300 && life <= 86_400);
  for (const { record, id, owner } of keys) {
    const { leaseUntil, ...rest } = await bench.openRecord(record);
    t.deepEqual(rest, { id, digest: DIGEST, uncertain: 0, day: '2026-11-24', owner });
    t.true(leaseUntil > 0);
    const left = await redis.pttl(record);
    t.true(left > 390_000 && left <= 400_000);
  }
});

test('admit several: keys in every state -> each is told what it would be told alone, and only new ones are charged', async (t) => {
  const counter = bench.counter();
  const [answered, refused, running, abandoned, mine, fresh] = newKeys(6);
  for (const key of [answered, running, abandoned, mine]) {
    const owner = key === mine ? 'me' : 'other';
    await bench.admit(key?.record ?? '', counter, { ...key, limit: 9, owner });
  }
  await bench.settle(answered?.record ?? '', 'answered', { ...answered, owner: 'other', durationMs: 60_000 });
  await bench.refuse(refused?.record ?? '', { id: refused?.id ?? '', status: 409, body: '{}' });
  await bench.endLease(abandoned?.record ?? '');
  const keys = [answered, refused, running, abandoned, mine, fresh].flatMap((key) =>
    key === undefined ? [] : [{ ...key, id: newId() }],
  );
  const [used, raw] = asList(await bench.admitAll(keys, counter, { limit: 9 }));
  const replies = asList(raw);
  t.is(used, 5);
  // The id alone says so.
  t.is(replies[0], answered?.id);
  t.deepEqual(asList(replies[1]).slice(0, 4), ['answered', refused?.id, 409, '{}']);
  t.deepEqual(asList(replies[2]).slice(0, 2), ['in_flight', running?.id]);
  t.deepEqual(replies[3], ['admitted', abandoned?.id, 1, 0]);
  t.deepEqual(replies[4], ['admitted', mine?.id, 0, 4]);
  t.is(replies[5], 5);
  t.is(await redis.get(counter), '5');
  t.is((await bench.openRecord(abandoned?.record ?? '')).owner, 'me');
});

test('admit several: by the same owners again -> told the same, and nothing changes', async (t) => {
  const counter = bench.counter();
  const keys = newKeys(3);
  await bench.admitAll(keys, counter);
  const before = await redis.mget(counter, ...keys.map(({ record }) => record));
  t.deepEqual(await bench.admitAll(keys, counter), [3, keys.map(({ id }) => ['admitted', id, 0, 3])]);
  t.deepEqual(await redis.mget(counter, ...keys.map(({ record }) => record)), before);
});

test('admit several: all have records -> nothing is charged, and it says how much is used all the same', async (t) => {
  const counter = bench.counter();
  const keys = newKeys(2);
  await bench.admitAll(keys, counter);
  const [used, replies] = asList(await bench.admitAll(keys, counter, { owner: 'other' }));
  t.is(used, 2);
  t.deepEqual(told(replies), ['in_flight', 'in_flight']);
  t.deepEqual(asList(await bench.admitAll(keys, bench.counter(), { owner: 'other' }))[0], 0);
});

test('admit several: the quota ends midway -> in order; a key with a record takes no unit', async (t) => {
  const counter = bench.counter();
  await redis.set(counter, 3);
  const [first, second, ...rest] = newKeys(4);
  const [known] = newKeys(1);
  await bench.admit(known?.record ?? '', bench.counter(), { ...known });
  const keys = [first, known, second, ...rest].flatMap((key) => key ?? []);
  const [used, replies] = asList(await bench.admitAll(keys, counter));
  t.is(used, 5);
  t.deepEqual(told(replies), [4, 'admitted', 5, 'exceeded', 'exceeded']);
  t.is(await redis.get(counter), '5');
  t.is(await redis.exists(rest.map(({ record }) => record)), 0);
  t.deepEqual(await bench.admitAll(newKeys(1), counter), [5, [['exceeded', 5]]]);
});

test('admit several: a bucket -> its tokens in order, read once and written once', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 3 };
  const [known] = newKeys(1);
  await bench.admit(known?.record ?? '', counter, { ...known });
  const keys = [...newKeys(2), known, ...newKeys(3)].flatMap((key) => key ?? []);
  const [used, replies] = asList(await bench.admitAll(keys, counter, { rate, limit: 9 }));
  t.deepEqual(told(replies), [2, 3, 'admitted', 4, 'throttled', 'throttled']);
  t.is(used, 4);
  t.regex((await redis.get(bucket)) ?? '', /^3\.000 \d+$/);
  const life = await redis.pttl(bucket);
  t.true(life > 0 && life <= 1000);
});

test('admit several: outside of its time -> nothing changes, and it says which time it is', async (t) => {
  const counter = bench.counter();
  const keys = newKeys(3);
  const now = await bench.now();
  for (const window of [
    { from: now + 60_000 },
    { deadline: now - 60_000 },
    { from: now + 1, deadline: now - 1 },
  ]) {
    const [status, time] = asList(await bench.admitAll(keys, counter, window));
    t.is(status, 'not_now');
    t.true(Math.abs(Number(time) - now) < 30_000);
  }
  t.is(await redis.exists(counter, ...keys.map(({ record }) => record)), 0);
});

test('admit several: another body -> a mismatch for that key; refused where the caller is strict', async (t) => {
  const counter = bench.counter();
  const [key, fresh, another] = newKeys(3);
  await bench.admit(key?.record ?? '', counter, { ...key, owner: 'other' });
  const keys = (beside: typeof fresh) => [
    { record: '', ...key, digest: OTHER_DIGEST },
    { record: '', ...beside },
  ];
  const [, lenient] = asList(await bench.admitAll(keys(fresh), counter));
  t.is(asList(asList(lenient)[0])[3], 1);
  t.is(asList(lenient)[1], 2);
  t.deepEqual(await bench.admitAll(keys(another), counter, { strict: true }), [
    3,
    [['mismatch', key?.id], 3],
  ]);
});

for (const [what, place, spoil] of [
  ['a record that is a list', 'record', (key: string) => redis.rpush(key, 'x')],
  ['a counter that is no number', 'counter', (key: string) => redis.set(key, 'many')],
  ['a counter that is not whole', 'counter', (key: string) => redis.set(key, '1.5')],
  ['a bucket that is a list', 'bucket', (key: string) => redis.rpush(key, 'x')],
] as const) {
  test(`admit several: ${what} -> an error, and nothing has changed`, async (t) => {
    const [counter, bucket] = [bench.counter(), bench.key()];
    const keys = newKeys(4);
    await spoil({ record: keys[2]?.record ?? '', counter, bucket }[place]);
    const touched = [counter, bucket, ...keys.map(({ record }) => record)];
    const before = await Promise.all(touched.map((key) => redis.dump(key)));
    await t.throwsAsync(bench.admitAll(keys, counter, { rate: { bucket, perSecond: 9 } }));
    t.deepEqual(await Promise.all(touched.map((key) => redis.dump(key))), before);
  });
}
