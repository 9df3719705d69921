/** Calls of a batch's items, gathered; on ioredis-mock (which test/lua holds to what Redis does). */
import test from 'ava';
import { ReplyError } from 'ioredis';
import type { Attempt } from '../../../src/attempt/attempt.js';
import { GatheredScripts } from '../../../src/redis/gathered-scripts.js';
import { AdmissionBench, never, newClient, REFUSAL, soon } from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const NOON = Date.UTC(2026, 10, 23, 12);
const MIDNIGHT = Date.UTC(2026, 10, 24);
const DIGEST = 'aaaaaaaaaa';

/** Makes attempts of one batch, on new keys of one client. */
function batchOf(bench: AdmissionBench, count: number, client = newClient(50)) {
  const scripts = new GatheredScripts(bench.scripts, bench.link, `refused:${client.id}`);
  const { owner } = bench.attempt(client);
  const attempts = Array.from(
    { length: count },
    (): Attempt => ({ ...bench.attempt(client), owner, scripts }),
  );
  return { client, scripts, attempts };
}

const admitAll = (bench: AdmissionBench, attempts: readonly Attempt[]) =>
  Promise.all(attempts.map((attempt) => bench.admission.admit(attempt, DIGEST, soon())));

const refuse = (bench: AdmissionBench, attempt: Attempt) =>
  bench.admission.refuse(attempt, DIGEST, REFUSAL, soon());

test('gathered: what is asked in one turn -> one call, each with its own reply in the order of the asking', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, NOON);
  const { client, scripts, attempts } = batchOf(bench, 10);
  const replies = await admitAll(bench, attempts);
  t.deepEqual(bench.sent, ['admitBatch']);
  t.deepEqual(
    replies.map((reply) => reply.status === 'admitted' && [reply.id, reply.used]),
    attempts.map(({ key }, index) => [bench.trackingIds.derive(client.id, key, NOON).id, index + 1]),
  );
  t.is(scripts.used, 10);
});

test('gathered: a refusal that comes some promises later -> in the same call', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { attempts } = batchOf(bench, 3);
  const [first, second, third] = attempts;
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few');
  const later = async () => {
    for (let promises = 0; promises < 20; promises += 1) await null;
    return refuse(bench, second);
  };
  const [admitted, refused, other] = await Promise.all([
    bench.admission.admit(first, DIGEST, soon()),
    later(),
    bench.admission.admit(third, DIGEST, soon()),
  ]);
  t.deepEqual([admitted.status, refused.status, other.status], ['admitted', 'refused', 'admitted']);
  t.deepEqual(bench.sent, ['admitBatch']);
});

test('gathered: refusals alone -> one call without a counter; how much is used is not known', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { scripts, attempts } = batchOf(bench, 2);
  const replies = await Promise.all(attempts.map((attempt) => refuse(bench, attempt)));
  t.deepEqual(
    replies.map(({ status }) => status),
    ['refused', 'refused'],
  );
  t.deepEqual(bench.sent, ['admitBatch']);
  t.is(scripts.used, undefined);
});

test('gathered: a batch of one -> says how much is used as well; what asks again goes alone', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { scripts, attempts } = batchOf(bench, 1);
  await admitAll(bench, attempts);
  t.is(scripts.used, 1);
  await admitAll(bench, attempts);
  t.deepEqual(bench.sent, ['admitBatch', 'admit']);
});

test('gathered: a twin is at work -> the others are admitted at once; the item asks again by itself', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { client, attempts } = batchOf(bench, 3);
  const twin = bench.attempt(client, attempts[1]?.key);
  const twins = await bench.admission.admit(twin, DIGEST, soon());
  if (twins.status !== 'admitted') throw new Error(twins.status);
  const order: number[] = [];
  const all = Promise.all(
    attempts.map(async (attempt, index) => {
      const { status } = await bench.admission.admit(attempt, DIGEST, soon());
      order.push(index);
      if (order.length === 2) await bench.settlement.end(twin, twins, 'answered', 60_000);
      return status;
    }),
  );
  t.deepEqual(await all, ['admitted', 'answered', 'admitted']);
  t.deepEqual(order, [0, 2, 1]);
  t.is(bench.waits, 1);
});

test('gathered: Redis answers with an error -> each is called for alone, and a faulty record fails its item only', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { attempts } = batchOf(bench, 3);
  const faulty = attempts[1]?.recordKey ?? '';
  bench.fate = async ({ command, run }) => {
    if (command === 'admitBatch') throw new ReplyError('WRONGTYPE of a record');
    return await run();
  };
  await bench.redis.rpush(faulty, 'x');
  const ends = await Promise.allSettled(
    attempts.map((attempt) => bench.admission.admit(attempt, DIGEST, soon())),
  );
  t.deepEqual(
    ends.map((end) => end.status === 'fulfilled' && end.value.status),
    ['admitted', false, 'admitted'],
  );
  t.deepEqual(bench.sent, ['admitBatch', 'admit', 'admit', 'admit']);
});

test('gathered: the reply is lost -> each item is told so, and each admission is undone', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 100 });
  const { client, attempts } = batchOf(bench, 3);
  bench.fate = async ({ command, run }) => {
    const reply = await run();
    return command === 'admitBatch' ? await never() : reply;
  };
  const ends = await Promise.allSettled(
    attempts.map((attempt) => bench.admission.admit(attempt, DIGEST, soon())),
  );
  t.true(ends.every(({ status }) => status === 'rejected'));
  t.is(bench.settlement.waiting, 3);
  // A link that has waited in vain sends nothing more until it hears something.
  await bench.link.checkWrite();
  await waitFor('the undoing', () => bench.settlement.waiting === 0);
  t.deepEqual(await bench.settlement.drain(), { givenUp: 0 });
  t.is(await bench.redis.exists(attempts.map(({ recordKey }) => recordKey)), 0);
  const [counter] = await bench.redis.keys(`quota:${client.id}:*`);
  t.is(await bench.used(counter ?? ''), 0);
});

test('gathered: the epoch of one key ends before the call runs -> all are asked anew, each with the id of its epoch', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ ttlSeconds: 3600 }, NOON);
  const { client, attempts } = batchOf(bench, 5);
  const ends = attempts.map(({ key }) => bench.trackingIds.derive(client.id, key, NOON).epochEndMs);
  const end = Math.min(...ends);
  await bench.setTime(end - 300);
  await bench.link.clock.synchronise();
  await bench.setTime(end + 100);
  const replies = await admitAll(bench, attempts);
  t.deepEqual(bench.sent, ['admitBatch', 'admitBatch']);
  t.deepEqual(
    replies.map((reply) => reply.status === 'admitted' && reply.id),
    attempts.map(({ key }) => bench.trackingIds.derive(client.id, key, end + 100).id),
  );
  const [counter = ''] = await bench.redis.keys(`quota:${client.id}:*`);
  t.is(await bench.used(counter), 5);
});

test('gathered: the day ends between two items -> each is charged to the day of its call', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, MIDNIGHT - 500);
  const { client, attempts } = batchOf(bench, 3);
  await bench.setTime(MIDNIGHT + 300);
  const replies = await admitAll(bench, attempts);
  t.true(replies.every((reply) => reply.status === 'admitted' && reply.counterKey.endsWith('2026-11-24')));
  const counters = await bench.redis.keys(`quota:${client.id}:*`);
  t.deepEqual(counters, [`quota:${client.id}:2026-11-24`]);
  t.is(await bench.used(counters[0] ?? ''), 3);
});

test('gathered: answers of one turn -> stored by one call; other endings by others', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { scripts, attempts } = batchOf(bench, 6);
  const admitted = await admitAll(bench, attempts);
  bench.sent.length = 0;
  const endings = ['answered', 'answered', 'answered', 'not_sent', 'not_sent', 'unknown'] as const;
  const replies = await Promise.all(
    attempts.map((attempt, index) => {
      const reply = admitted[index];
      if (reply?.status !== 'admitted') throw new Error('not admitted');
      const ending = endings[index] ?? 'unknown';
      return bench.settlement.end(attempt, reply, ending, ending === 'answered' ? 60_000 : 0, 1000);
    }),
  );
  t.deepEqual(
    replies.map((reply) => reply?.status),
    ['answered', 'answered', 'answered', 'withdrawn', 'withdrawn', 'open'],
  );
  t.deepEqual(bench.sent, ['settleBatch', 'settleBatch', 'settle']);
  t.is(scripts.used, 4);
});

test('gathered: answers cannot be stored together -> each alone; where nothing is heard, each in the background', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 100 });
  const { attempts } = batchOf(bench, 2);
  const admitted = await admitAll(bench, attempts);
  const end = (ending: 'held' | 'answered') =>
    Promise.all(
      attempts.map((attempt, index) => {
        const reply = admitted[index];
        if (reply?.status !== 'admitted') throw new Error('not admitted');
        return bench.settlement.end(attempt, reply, ending, 60_000, 100);
      }),
    );
  bench.fate = async ({ command, run }) => {
    if (command === 'settleBatch') throw new ReplyError('ERR of one of them');
    return await run();
  };
  t.deepEqual(
    (await end('held')).map((reply) => reply?.status),
    ['open', 'open'],
  );
  bench.fate = ({ command, run }) => (command === 'settleBatch' ? never() : run());
  t.deepEqual(await end('answered'), [undefined, undefined]);
  await bench.link.checkWrite();
  await waitFor('the endings', () => bench.settlement.waiting === 0);
  t.deepEqual(await bench.settlement.drain(), { givenUp: 0 });
  for (const { recordKey } of attempts) t.regex((await bench.redis.get(recordKey)) ?? '', /^1A/);
});
