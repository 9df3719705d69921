/** The script that stores refusals, given several of them. */
import test from 'ava';
import { asList } from '../support/json.js';
import { DIGEST, newId, OTHER_DIGEST, type RefusalArguments, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

/** Returns refusals of new keys. */
function newRefusals(count: number, given: Partial<RefusalArguments> = {}) {
  return Array.from({ length: count }, () => ({ record: bench.key(), id: newId(), ...given }));
}

test('refuse several: kept where the key has no record, each with its own answer and life; never in place of a record', async (t) => {
  const counter = bench.counter();
  const [claimed, open] = newRefusals(2);
  for (const key of [claimed, open])
    await bench.admit(key?.record ?? '', counter, { ...key, owner: 'other' });
  await bench.endLease(open?.record ?? '');
  const [kept] = newRefusals(1, { status: 409, body: '{"é":1}', lifeMs: 500_000 });
  const [other] = newRefusals(1, { digest: OTHER_DIGEST, body: '{"n":2}', lifeMs: 300_000 });
  const [asked] = newRefusals(1, { lifeMs: 0 });
  const [unread] = newRefusals(1, { digest: '', lifeMs: 0 });
  const all = [kept, claimed, other, open, asked, unread].flatMap((refusal) => refusal ?? []);
  const replies = await bench.refuseAll(all);
  t.deepEqual(
    [0, 2, 4, 5].map((n) => replies[n]),
    Array.from({ length: 4 }, () => ['refused', 0]),
  );
  t.deepEqual(asList(replies[1]).slice(0, 2), ['in_flight', claimed?.id]);
  t.deepEqual(replies[3], ['open', open?.id, 0]);
  t.is(await redis.get(kept?.record ?? ''), `1A${kept?.id}${DIGEST}409{"é":1}`);
  t.is(await redis.get(other?.record ?? ''), `1A${other?.id}${OTHER_DIGEST}400{"n":2}`);
  const lives = await Promise.all([kept, other].map((key) => redis.pttl(key?.record ?? '')));
  t.true(lives[0] !== undefined && lives[0] > 490_000 && lives[0] <= 500_000);
  t.true(lives[1] !== undefined && lives[1] > 290_000 && lives[1] <= 300_000);
  t.is(await redis.exists(asked?.record ?? '', unread?.record ?? ''), 0);
});

test('refuse several: only so many of the client are stored -> the first ones, counted; of the others it is said', async (t) => {
  const count = bench.key();
  const [first, ...rest] = newRefusals(5);
  const asked = newRefusals(1, { lifeMs: 0 });
  await bench.refuseAll([{ record: '', ...first }], { count });
  const all = [...[first, rest[0]].flatMap((refusal) => refusal ?? []), ...asked, ...rest.slice(1)];
  const replies = (await bench.refuseAll(all, { count, most: 3 })).map(asList);
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
  t.is(await redis.exists([first, ...rest].map((refusal) => refusal?.record ?? '')), 3);
});

test('refuse several: outside of its time -> nothing changes', async (t) => {
  const refusals = newRefusals(3);
  const [status] = await bench.refuseAll(refusals, { deadline: 1 });
  t.is(status, 'not_now');
  t.is(await redis.exists(refusals.map(({ record }) => record)), 0);
});

for (const [what, place] of [
  ['a record', 'record'],
  ['the count', 'count'],
] as const) {
  test(`refuse several: ${what} is a list -> an error, and nothing has changed`, async (t) => {
    const count = bench.key();
    const refusals = newRefusals(3);
    await redis.rpush({ record: refusals[1]?.record ?? '', count }[place], 'x');
    await t.throwsAsync(bench.refuseAll(refusals, { count }));
    t.is(await redis.exists(count, ...refusals.map(({ record }) => record)), 1);
  });
}
