import test from 'ava';
import { asList } from '../support/json.js';
import { DIGEST, type ItemArguments, newId, OTHER_DIGEST, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Returns items with new keys and ids. */
function newItems(count: number, given: Partial<ItemArguments> = {}) {
  return Array.from({ length: count }, () => ({ record: bench.key(), id: newId(), ...given }));
}

const REFUSAL = { status: 400, body: '{"é":1}', lifeMs: 500_000 };

test('admit_batch: new keys -> claimed and charged each, as admit does it, with one counter', async (t) => {
  const counter = bench.counter('2026-11-24');
  const items = newItems(3);
  const [used, replies] = await bench.admitBatch(items, counter, { leaseMs: 30_000, lifeMs: 400_000 });
  t.is(used, 3);
  t.deepEqual(
    replies,
    items.map((_item, index) => index + 1),
  );
  t.is(await redis.get(counter), '3');
  const life = await redis.ttl(counter);
  t.true(life > 86_300 && life <= 86_400);
  for (const { record, id } of items) {
    const { leaseUntil, ...rest } = await bench.openRecord(record);
    t.deepEqual(rest, { id, digest: DIGEST, uncertain: 0, day: '2026-11-24', owner: 'me' });
    t.true(leaseUntil > 0);
    const left = await redis.pttl(record);
    t.true(left > 390_000 && left <= 400_000);
  }
});

test('admit_batch: keys in every state -> each is told what admit would tell it, and only new ones are charged', async (t) => {
  const counter = bench.counter();
  const [answered, refused, running, abandoned, mine, fresh] = newItems(6);
  for (const item of [answered, running, abandoned, mine]) {
    await bench.admit(item?.record ?? '', counter, {
      ...item,
      limit: 9,
      owner: item === mine ? 'me' : 'other',
    });
  }
  await bench.settle(answered?.record ?? '', 'answered', { ...answered, owner: 'other', durationMs: 60_000 });
  await bench.refuse(refused?.record ?? '', { id: refused?.id ?? '', status: 409, body: '{}' });
  await bench.endLease(abandoned?.record ?? '');
  const items = [answered, refused, running, abandoned, mine, fresh].flatMap((item) =>
    item === undefined ? [] : [{ ...item, id: newId() }],
  );
  const [used, raw] = await bench.admitBatch(items, counter, { limit: 9 });
  const replies = asList(raw);
  t.is(used, 5);
  t.deepEqual(asList(replies[0]).slice(0, 4), ['answered', answered?.id, 202, '']);
  t.deepEqual(asList(replies[1]).slice(0, 4), ['answered', refused?.id, 409, '{}']);
  t.deepEqual(asList(replies[2]).slice(0, 2), ['in_flight', running?.id]);
  t.deepEqual(replies[3], ['admitted', abandoned?.id, 1, 0]);
  t.deepEqual(replies[4], ['admitted', mine?.id, 0, 4]);
  t.is(replies[5], 5);
  t.is(await redis.get(counter), '5');
  t.is((await bench.openRecord(abandoned?.record ?? '')).owner, 'me');
});

test('admit_batch: by the same owners again -> told the same, and nothing changes', async (t) => {
  const counter = bench.counter();
  const items = newItems(3);
  await bench.admitBatch(items, counter);
  const before = await redis.mget(counter, ...items.map(({ record }) => record));
  const [used, replies] = await bench.admitBatch(items, counter);
  t.deepEqual([used, replies], [3, items.map(({ id }) => ['admitted', id, 0, 3])]);
  t.deepEqual(await redis.mget(counter, ...items.map(({ record }) => record)), before);
});

test('admit_batch: refusals among them -> kept where the key has no record; never in place of one', async (t) => {
  const counter = bench.counter();
  const [kept, asked, good] = newItems(3);
  const [claimed, open] = newItems(2);
  for (const item of [claimed, open])
    await bench.admit(item?.record ?? '', counter, { ...item, owner: 'other' });
  await bench.endLease(open?.record ?? '');
  const items = [
    { ...kept, refusal: REFUSAL },
    { ...asked, refusal: { ...REFUSAL, lifeMs: 0 } },
    { ...claimed, refusal: REFUSAL },
    { ...open, refusal: REFUSAL },
    { ...good },
  ].map((item) => ({ record: '', ...item }));
  const [used, raw] = await bench.admitBatch(items, counter);
  const replies = asList(raw);
  t.is(used, 3);
  t.deepEqual(replies[0], ['refused', 0]);
  t.deepEqual(replies[1], ['refused', 0]);
  t.deepEqual(asList(replies[2]).slice(0, 2), ['in_flight', claimed?.id]);
  t.deepEqual(replies[3], ['open', open?.id, 0]);
  t.is(replies[4], 3);
  t.is(await redis.get(kept?.record ?? ''), `1A${kept?.id}${DIGEST}400{"é":1}`);
  const life = await redis.pttl(kept?.record ?? '');
  t.true(life > 490_000 && life <= 500_000);
  t.is(await redis.exists(asked?.record ?? ''), 0);
});

test('admit_batch: refusals alone -> no counter is needed', async (t) => {
  const items = newItems(2, { refusal: REFUSAL });
  t.deepEqual(await bench.admitBatch(items, undefined), [
    -1,
    [
      ['refused', 0],
      ['refused', 0],
    ],
  ]);
});

test('admit_batch: only so many refusals of the client are stored -> the first ones, counted; of the others it is said', async (t) => {
  const count = bench.key();
  const items = newItems(5, { refusal: REFUSAL });
  const asked = { record: bench.key(), refusal: { ...REFUSAL, lifeMs: 0 } };
  const [first, ...rest] = items;
  await bench.admitBatch([{ record: '', ...first }], undefined, { count });
  const [, raw] = await bench.admitBatch([...items.slice(0, 2), asked, ...rest.slice(1)], undefined, {
    count,
    most: 3,
  });
  const replies = asList(raw).map(asList);
  t.is(replies[0]?.[0], 'answered');
  t.deepEqual(replies.slice(1), [
    ['refused', 0],
    ['refused', 0],
    ['refused', 0],
    ['refused', 1],
    ['refused', 1],
  ]);
  t.is(await redis.get(count), '3');
  const life = await redis.ttl(count);
  t.true(life > 86_000 && life <= 86_400);
  t.is(await redis.exists(items.map(({ record }) => record)), 3);
});

test('admit_batch: the quota ends midway -> in order; an item with a record takes no unit, a refused one neither', async (t) => {
  const counter = bench.counter();
  await redis.set(counter, 3);
  const [first, ...rest] = newItems(4);
  const known = { record: bench.key(), id: newId() };
  await bench.admit(known.record, bench.counter(), known);
  const refused = { record: bench.key(), refusal: REFUSAL };
  const [used, raw] = await bench.admitBatch([{ record: '', ...first }, known, refused, ...rest], counter);
  t.is(used, 5);
  t.deepEqual(
    asList(raw).map((reply) => (Array.isArray(reply) ? reply[0] : reply)),
    [4, 'admitted', 'refused', 5, 'exceeded', 'exceeded'],
  );
  t.is(await redis.get(counter), '5');
  t.is(await redis.exists(rest.slice(1).map(({ record }) => record)), 0);
  t.deepEqual(await bench.admitBatch(newItems(1), counter), [5, [['exceeded', 5]]]);
});

test('admit_batch: a bucket -> its tokens in order, read once and written once', async (t) => {
  const [counter, bucket] = [bench.counter(), bench.key()];
  const rate = { bucket, perSecond: 3 };
  const known = { record: bench.key(), id: newId() };
  await bench.admit(known.record, counter, known);
  const [used, raw] = await bench.admitBatch([...newItems(2), known, ...newItems(3)], counter, {
    rate,
    limit: 9,
  });
  t.deepEqual(
    asList(raw).map((reply) => (Array.isArray(reply) ? reply[0] : reply)),
    [2, 3, 'admitted', 4, 'throttled', 'throttled'],
  );
  t.is(used, 4);
  t.regex((await redis.get(bucket)) ?? '', /^3\.000 \d+$/);
  const life = await redis.pttl(bucket);
  t.true(life > 0 && life <= 1000);
});

test('admit_batch: outside of its time -> nothing changes, and it says which time it is', async (t) => {
  const counter = bench.counter();
  const items = [...newItems(2), ...newItems(1, { refusal: REFUSAL })];
  const now = await bench.now();
  for (const window of [
    { from: now + 60_000 },
    { deadline: now - 60_000 },
    { from: now + 1, deadline: now - 1 },
  ]) {
    const [status, told] = await bench.admitBatch(items, counter, window);
    t.is(status, 'not_now');
    t.true(Math.abs(Number(told) - now) < 30_000);
  }
  t.is(await redis.exists(counter, ...items.map(({ record }) => record)), 0);
});

test('admit_batch: another body -> a mismatch for that item; refused where the caller is strict', async (t) => {
  const counter = bench.counter();
  const [item] = newItems(1);
  await bench.admit(item?.record ?? '', counter, { ...item, owner: 'other' });
  const other = [{ record: '', ...item, digest: OTHER_DIGEST }];
  const [, lenient] = await bench.admitBatch(other, counter);
  t.is(asList(asList(lenient)[0])[3], 1);
  const [, strict] = await bench.admitBatch(other, counter, { strict: true });
  t.deepEqual(strict, [['mismatch', item?.id]]);
});

for (const [what, place, spoil] of [
  ['a record that is a list', 'record', (key: string) => redis.rpush(key, 'x')],
  ['a counter that is no number', 'counter', (key: string) => redis.set(key, 'many')],
  ['a counter that is not whole', 'counter', (key: string) => redis.set(key, '1.5')],
  ['a bucket that is a list', 'bucket', (key: string) => redis.rpush(key, 'x')],
  ['a count of refusals that is a list', 'count', (key: string) => redis.rpush(key, 'x')],
] as const) {
  test(`admit_batch: ${what} -> an error, and nothing has changed`, async (t) => {
    const [counter, bucket, count] = [bench.counter(), bench.key(), bench.key()];
    const items = [...newItems(3), ...newItems(1, { refusal: REFUSAL })];
    await spoil({ record: items[2]?.record ?? '', counter, bucket, count }[place]);
    const keys = [counter, bucket, count, ...items.map(({ record }) => record)];
    const before = await Promise.all(keys.map((key) => redis.dump(key)));
    await t.throwsAsync(bench.admitBatch(items, counter, { rate: { bucket, perSecond: 9 }, count }));
    t.deepEqual(await Promise.all(keys.map((key) => redis.dump(key))), before);
  });
}
