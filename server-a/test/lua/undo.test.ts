/** Undoing an admission whose reply was lost: settle, told until when the admission may still run. */
import test from 'ava';
import { FAR_MS, newId, ScriptBench } from '../support/redis.js';

const bench = ScriptBench.onRedis();
const { redis } = bench;
test.after.always(() => bench.close());

const stateOf = ({ record, counter }: { record: string; counter: string }) => redis.mget(record, counter);

/** Undoes an admission of `me` whose reply was lost. @param deadline Redis time until which it may still run */
const undo = ({ record, counter, id }: { record: string; counter: string; id: string }, deadline: number) =>
  bench.settle(record, 'not_sent', { id, counter, deadline });

test('undo: before the deadline, and the admission has not run -> early; once it has run -> withdrawn', async (t) => {
  const key = { record: bench.key(), counter: bench.counter(), id: newId() };
  t.deepEqual(await undo(key, FAR_MS), ['early']);
  t.deepEqual(await undo(key, FAR_MS), ['early']);
  await bench.admit(key.record, key.counter, { id: key.id });
  t.deepEqual(await undo(key, FAR_MS), ['withdrawn']);
  t.deepEqual(await stateOf(key), [null, '0']);
});

test('undo: after the deadline, and the admission has not run -> absent; the admission can do nothing any more', async (t) => {
  const key = { record: bench.key(), counter: bench.counter(), id: newId() };
  const deadline = (await bench.now()) - 1;
  t.deepEqual(await undo(key, deadline), ['absent']);
  t.is((await bench.admit(key.record, key.counter, { deadline }))[0], 'not_now');
  t.deepEqual(await stateOf(key), [null, null]);
});

test('undo: the admission has run, after the deadline -> withdrawn all the same', async (t) => {
  const key = await bench.claimed();
  t.deepEqual(await undo(key, (await bench.now()) - 1), ['withdrawn']);
  t.deepEqual(await stateOf(key), [null, '0']);
});

test('undo: the admission took the key over -> open with its lease over', async (t) => {
  const { record, counter, id } = await bench.takenOver();
  const lost = { owner: 'successor', id, counter, deadline: FAR_MS };
  t.deepEqual(await bench.settle(record, 'not_sent', lost), ['open', id, 0]);
  t.is((await bench.openRecord(record)).leaseUntil, 0);
  t.is(await redis.get(counter), '1');
});

test('undo: another attempt’s record -> early before the deadline, told what stands after it, and nothing changes', async (t) => {
  const open = await bench.claimed({ owner: 'other' });
  const answered = await bench.claimed({ owner: 'other' });
  await bench.settle(answered.record, 'answered', { owner: 'other', id: answered.id, durationMs: 60_000 });
  for (const key of [open, answered]) {
    const before = await stateOf(key);
    t.deepEqual(await undo(key, FAR_MS), ['early']);
    const [status, id] = await undo(key, (await bench.now()) - 1);
    t.deepEqual([status, id], [key === open ? 'open' : 'answered', key.id]);
    t.deepEqual(await stateOf(key), before);
  }
});
