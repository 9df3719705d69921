import test from 'ava';
import { FINGERPRINT, newId, OTHER_FINGERPRINT, ScriptBench } from '../support/redis.js';

const bench = new ScriptBench();
test.after.always(() => bench.close());

interface ClaimOptions {
  readonly id?: string;
  readonly owner?: string;
  readonly fingerprint?: string;
  readonly leaseMs?: number;
  readonly deadline?: number;
  readonly strict?: 0 | 1;
}

function claim(record: string, options: ClaimOptions = {}): Promise<unknown[]> {
  const { id = newId(), owner = 'owner-1', fingerprint = FINGERPRINT, leaseMs = 60_000 } = options;
  const { deadline = 0, strict = 0 } = options;
  return bench.redis.idempotencyClaim(record, id, owner, fingerprint, leaseMs, 600, deadline, strict);
}

const release = (record: string, owner: string, paid: 0 | 1, hold = 0): Promise<unknown> =>
  bench.redis.idempotencyRelease(record, owner, paid, hold, 600);

const store = (record: string, owner: string, id: string, status: number, body: string, ttl = 600_000) =>
  bench.redis.idempotencyStore(record, owner, id, FINGERPRINT, status, body, ttl);

/** Waits until a lease of the given length is over by Redis's own clock. */
async function untilLeaseEnds(leaseMs: number): Promise<void> {
  const end = (await bench.now()) + leaseMs;
  while ((await bench.now()) <= end) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('claim: a new key -> claimed under the candidate, with the TTL', async (t) => {
  const record = bench.key();
  const id = newId();
  t.deepEqual(await claim(record, { id }), ['claimed', id, 0, 0, 0, '']);
  const ttl = await bench.redis.ttl(record);
  t.true(ttl > 590 && ttl <= 600);
});

test('claim: the record of a claim -> the documented form', async (t) => {
  const record = bench.key();
  const id = newId();
  const before = await bench.now();
  await claim(record, { id, owner: 'me', leaseMs: 5000 });
  const value = (await bench.redis.get(record)) ?? '';
  t.is(value.slice(0, 44), `C${id}${FINGERPRINT}0`);
  const leaseUntil = Number(value.slice(44, 57));
  t.true(leaseUntil >= before + 5000 && leaseUntil <= (await bench.now()) + 5000);
  t.is(value.slice(57), 'me');
});

test('claim: a key in flight -> in_flight, with the first id and what is left of the lease', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id, leaseMs: 5000 });
  const [status, kept, left, mismatch] = await claim(record, { owner: 'owner-2' });
  t.deepEqual([status, kept, mismatch], ['in_flight', id, 0]);
  t.true(Number(left) > 4000 && Number(left) <= 5000);
});

test('claim: run twice by one owner -> the second is told in_flight, and nothing changes', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  const before = await bench.redis.get(record);
  t.is((await claim(record, { id }))[0], 'in_flight');
  t.is(await bench.redis.get(record), before);
});

test('claim: fifty at once -> exactly one is claimed, and all are told its id', async (t) => {
  const record = bench.key();
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => claim(record, { owner: `owner-${n}` })),
  );
  t.is(replies.filter(([status]) => status === 'claimed').length, 1);
  t.is(new Set(replies.map(([, id]) => id)).size, 1);
});

test('claim: the lease has ended -> taken over under the first id', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id, leaseMs: 20 });
  await untilLeaseEnds(20);
  t.deepEqual(await claim(record, { owner: 'owner-2' }), ['claimed', id, 1, 0, 0, 'owner-1']);
});

test('claim: given back unpaid -> claimed under the first id, for any body', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  await release(record, 'owner-1', 0);
  t.deepEqual(await claim(record, { fingerprint: OTHER_FINGERPRINT, strict: 1 }), [
    'claimed',
    id,
    1,
    0,
    0,
    '',
  ]);
});

test('claim: given back paid -> claimed as paid, and its body still binds', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  await release(record, 'owner-1', 1);
  t.deepEqual(await claim(record, { fingerprint: OTHER_FINGERPRINT, strict: 1 }), ['mismatch', id]);
  t.deepEqual(await claim(record, { fingerprint: OTHER_FINGERPRINT }), ['claimed', id, 1, 1, 1, '']);
});

test('claim: answered 202 -> done, with no body (it follows from the id)', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  await store(record, 'owner-1', id, 202, '', 5000);
  const [status, kept, http, body, left, mismatch] = await claim(record);
  t.deepEqual([status, kept, http, body, mismatch], ['done', id, 202, '', 0]);
  t.true(Number(left) > 4000 && Number(left) <= 5000);
});

test('claim: answered otherwise -> done, with the exact bytes', async (t) => {
  const record = bench.key();
  const id = newId();
  const body = '{"error_code":"INVALID_PAYLOAD","message":"€ 😀 \\u0000"}';
  await claim(record, { id });
  await store(record, 'owner-1', id, 400, body);
  t.deepEqual((await claim(record)).slice(0, 4), ['done', id, 400, body]);
});

test('claim: answered, another body -> mismatch reported, or refused when strict', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  await store(record, 'owner-1', id, 202, '');
  t.is((await claim(record, { fingerprint: OTHER_FINGERPRINT }))[5], 1);
  t.deepEqual(await claim(record, { fingerprint: OTHER_FINGERPRINT, strict: 1 }), ['mismatch', id]);
});

test('claim: in flight, another body -> mismatch reported, or refused when strict', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, { id });
  const [status, , , mismatch] = await claim(record, { fingerprint: OTHER_FINGERPRINT });
  t.deepEqual([status, mismatch], ['in_flight', 1]);
  t.deepEqual(await claim(record, { fingerprint: OTHER_FINGERPRINT, strict: 1 }), ['mismatch', id]);
});

test('claim: the deadline has passed -> late, with the time, and no record', async (t) => {
  const record = bench.key();
  const now = await bench.now();
  const [status, told] = await claim(record, { deadline: now - 1 });
  t.is(status, 'late');
  t.true(Math.abs(Number(told) - now) < 5000);
  t.is(await bench.redis.exists(record), 0);
});

test('claim: the deadline is ahead -> claimed', async (t) => {
  t.is((await claim(bench.key(), { deadline: (await bench.now()) + 5000 }))[0], 'claimed');
});
