import test from 'ava';
import { FINGERPRINT, newId, ScriptBench } from '../support/redis.js';

const bench = new ScriptBench();
test.after.always(() => bench.close());

const claim = (record: string, id: string, owner: string, leaseMs = 60_000): Promise<unknown[]> =>
  bench.redis.idempotencyClaim(record, id, owner, FINGERPRINT, leaseMs, 600, 0, 0);
const store = (record: string, owner: string, id: string, status: number, body: string, ttl = 600_000) =>
  bench.redis.idempotencyStore(record, owner, id, FINGERPRINT, status, body, ttl);
const release = (record: string, owner: string, paid: 0 | 1, hold = 0): Promise<unknown> =>
  bench.redis.idempotencyRelease(record, owner, paid, hold, 600);

test('store: by the owner -> stored in the documented form, with its own TTL', async (t) => {
  const [accepted, refused] = [bench.key(), bench.key()];
  const id = newId();
  await claim(accepted, id, 'me');
  await claim(refused, id, 'me');
  t.is(await store(accepted, 'me', id, 202, '', 7000), 'stored');
  t.is(await store(refused, 'me', id, 409, '{"a":1}', 3000), 'stored');
  t.is(await bench.redis.get(accepted), `A${id}${FINGERPRINT}`);
  t.is(await bench.redis.get(refused), `D${id}${FINGERPRINT}409{"a":1}`);
  t.true((await bench.redis.pttl(accepted)) > 6000);
  t.true((await bench.redis.pttl(refused)) <= 3000);
});

test('store: an accepted record -> 43 bytes, which Redis keeps in one small allocation', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'me');
  await store(record, 'me', id, 202, '');
  t.is(await bench.redis.strlen(record), 43);
  t.is(await bench.redis.object('ENCODING', record), 'embstr');
});

test('store: run twice -> lost, and the first answer stays', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'me');
  await store(record, 'me', id, 202, '');
  t.is(await store(record, 'me', id, 400, '{}'), 'lost');
  t.is(await bench.redis.get(record), `A${id}${FINGERPRINT}`);
});

test('store: by a slow owner after a take-over -> lost, and its successor keeps the key', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'slow', 1);
  while ((await claim(record, newId(), 'successor'))[0] !== 'claimed') {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.is(await store(record, 'slow', id, 400, '{}'), 'lost');
  t.is(await store(record, 'successor', id, 202, ''), 'stored');
});

test('store: an owner token that only begins alike -> lost', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'owner-12');
  t.is(await store(record, 'owner-1', id, 202, ''), 'lost');
  t.is(await release(record, 'owner-1', 0), 'lost');
});

test('store: the record has vanished -> stored anew', async (t) => {
  const record = bench.key();
  const id = newId();
  t.is(await store(record, 'me', id, 202, ''), 'stored');
  t.is(await bench.redis.get(record), `A${id}${FINGERPRINT}`);
});

test('store: fifty owners at once -> only the claim’s own is stored', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'owner-7');
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => store(record, `owner-${n}`, id, 202, '')),
  );
  t.deepEqual(
    replies.flatMap((reply, n) => (reply === 'stored' ? [n] : [])),
    [7],
  );
});

test('release: by the owner -> released, keeping id, paid and TTL', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'me');
  t.is(await release(record, 'me', 1), 'released');
  t.is(await bench.redis.get(record), `F${id}${FINGERPRINT}1`);
  t.true((await bench.redis.ttl(record)) > 590);
});

test('release: run twice -> lost the second time', async (t) => {
  const record = bench.key();
  await claim(record, newId(), 'me');
  await release(record, 'me', 0);
  t.is(await release(record, 'me', 0), 'lost');
});

test('release: no record, another owner, or an answer -> lost, and nothing changes', async (t) => {
  const record = bench.key();
  const id = newId();
  t.is(await release(record, 'me', 0), 'lost');
  t.is(await bench.redis.exists(record), 0);
  await claim(record, id, 'me');
  t.is(await release(record, 'other', 0), 'lost');
  await store(record, 'me', id, 202, '');
  t.is(await release(record, 'me', 0), 'lost');
  t.is(await bench.redis.get(record), `A${id}${FINGERPRINT}`);
});

test('release: with a hold -> held: still in flight for others, and the owner can store', async (t) => {
  const record = bench.key();
  const id = newId();
  await claim(record, id, 'me', 50);
  t.is(await release(record, 'me', 1, 30_000), 'held');
  const [status, , leaseLeft] = await claim(record, newId(), 'other');
  t.is(status, 'in_flight');
  t.true(Number(leaseLeft) > 29_000);
  t.is((await bench.redis.get(record))?.[43], '1');
  t.is(await store(record, 'me', id, 202, ''), 'stored');
});

test('release: held twice -> the lease is extended', async (t) => {
  const record = bench.key();
  await claim(record, newId(), 'me');
  await release(record, 'me', 1, 1000);
  t.is(await release(record, 'me', 1, 60_000), 'held');
  t.true(Number((await claim(record, newId(), 'other'))[2]) > 50_000);
});
