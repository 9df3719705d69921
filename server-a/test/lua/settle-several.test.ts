/** The script that ends attempts, given several of them. */
import test from 'ava';
import { asList } from '../support/json.js';
import { newId, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Claims new keys for their owner `me`; returns where. */
async function claimed(count: number) {
  const counter = bench.counter();
  const items = Array.from({ length: count }, () => ({ record: bench.key(), id: newId() }));
  await bench.admitAll(items, counter, { limit: 1000 });
  return { counter, items };
}

test('settle several: answered -> each record holds its answer, and one number says so', async (t) => {
  const { items } = await claimed(3);
  t.is(await bench.settleAll(items, 'answered', { durationMs: 60_000 }), 1);
  for (const { record, id } of items) t.is((await redis.get(record))?.slice(0, 38), `1A${id}`);
});

test('settle several: not_sent -> records and units are gone, but for keys that others hold by now', async (t) => {
  const { counter, items } = await claimed(3);
  const [, taken] = items;
  await bench.endLease(taken?.record ?? '');
  await bench.admit(taken?.record ?? '', counter, { owner: 'other' });
  t.deepEqual(await bench.settleAll(items, 'not_sent', { counter }), [
    ['withdrawn'],
    ['open', taken?.id, 0],
    ['withdrawn'],
  ]);
  t.is(await redis.get(counter), '1');
});

test('settle several: a second run -> changes nothing more', async (t) => {
  const { counter, items } = await claimed(3);
  await bench.settleAll(items, 'not_sent', { counter });
  t.deepEqual(
    await bench.settleAll(items, 'not_sent', { counter }),
    items.map(() => ['absent']),
  );
  t.is(await redis.get(counter), '0');
});

test('settle several: held and unknown -> as settle does it, each', async (t) => {
  const { items } = await claimed(2);
  t.deepEqual(
    await bench.settleAll(items, 'held', { durationMs: 60_000 }),
    items.map(({ id }) => ['open', id, 0]),
  );
  for (const { record } of items) t.true((await bench.openRecord(record)).leaseUntil > (await bench.now()));
  await bench.settleAll(items, 'unknown');
  for (const { record } of items) t.is((await bench.openRecord(record)).leaseUntil, 0);
});

test('settle several: an error midway, then each alone -> each ends once', async (t) => {
  const { counter, items } = await claimed(3);
  const spoilt = items[1]?.record ?? '';
  await redis.del(spoilt);
  await redis.rpush(spoilt, 'x');
  await t.throwsAsync(bench.settleAll(items, 'not_sent', { counter }));
  for (const { record } of items.filter(({ record }) => record !== spoilt)) {
    await bench.settle(record, 'not_sent', { counter });
    t.is(await redis.exists(record), 0);
  }
  t.is(await redis.get(counter), '1');
});

test('settle several: one answer stands already -> told of that one, in its place', async (t) => {
  const { items } = await claimed(3);
  const [, second] = items;
  await bench.settle(second?.record ?? '', 'answered', { ...second, durationMs: 60_000 });
  const replies = asList(await bench.settleAll(items, 'answered', { durationMs: 60_000 }));
  t.deepEqual([replies[0], replies[2]], [1, 1]);
  t.deepEqual(asList(replies[1]).slice(0, 4), ['answered', second?.id, 202, '']);
});

test('settle several: each has its own owner -> only the owners of their keys end them', async (t) => {
  const { counter, items } = await claimed(2);
  const [mine, other] = items;
  t.deepEqual(
    await bench.settleAll(
      [
        { record: '', ...mine, owner: 'me' },
        { record: '', ...other, owner: 'nobody' },
      ],
      'not_sent',
      { counter },
    ),
    [['withdrawn'], ['open', other?.id, 0]],
  );
  t.is(await redis.get(counter), '1');
});

test('settle several: the answers are there already -> told so, in the order of the attempts', async (t) => {
  const { items } = await claimed(100);
  await bench.settleAll(items, 'answered', { durationMs: 60_000 });
  const replies = await bench.settleAll(items, 'answered', { durationMs: 60_000 });
  t.deepEqual(
    asList(replies).map((reply) => asList(reply)[1]),
    items.map(({ id }) => id),
  );
});
