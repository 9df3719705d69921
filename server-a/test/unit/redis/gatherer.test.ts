/** Calls of one turn, gathered; on ioredis-mock (which test/lua holds to what Redis does). */
import test from 'ava';
import { ReplyError } from 'ioredis';
import type { Attempt } from '../../../src/attempt/attempt.js';
import { turnEnds } from '../../../src/connection/turn-end.js';
import { Gatherer } from '../../../src/redis/gatherer.js';
import {
  AdmissionBench,
  admitAll,
  attemptsOf,
  DIGEST,
  never,
  newClient,
  REFUSAL,
  soon,
} from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const NOON = Date.UTC(2026, 10, 23, 12);
const MIDNIGHT = Date.UTC(2026, 10, 24);

const refuse = (bench: AdmissionBench, attempt: Attempt) =>
  bench.admission.refuse(attempt, DIGEST, REFUSAL, soon());

test('gathered: what is asked in one turn -> one call, each with its own reply in the order of the asking', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, NOON);
  const { client, usage, attempts } = attemptsOf(bench, 10);
  const replies = await admitAll(bench, attempts);
  t.deepEqual(bench.sent, ['admit']);
  t.deepEqual(
    replies.map((reply) => reply.status === 'admitted' && [reply.id, reply.used]),
    attempts.map(({ key }, index) => [bench.trackingIds.derive(client.id, key, NOON).id, index + 1]),
  );
  t.is(usage.used, 10);
});

test('gathered: calls of two clients -> a call for each', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const [one, other] = [attemptsOf(bench, 2), attemptsOf(bench, 3)];
  const replies = await admitAll(bench, [...one.attempts, ...other.attempts]);
  t.deepEqual(
    replies.map((reply) => reply.status === 'admitted' && reply.used),
    [1, 2, 1, 2, 3],
  );
  t.deepEqual(bench.sent, ['admit', 'admit']);
});

test('gathered: calls of very many clients in a turn -> each is compared with those of its own client only', async (t) => {
  let compared = 0;
  const gatherer = new Gatherer<{ readonly client: number }, number>(
    {
      nameOf: ({ client }) => String(client),
      isAlike: () => {
        compared += 1;
        return true;
      },
      keyOf: () => undefined,
      call: async (_first, requests) => requests.map(({ client }) => client),
      mayGoAlone: () => false,
    },
    turnEnds(),
  );
  const clients = Array.from({ length: 1000 }, (_, n) => n % 500);
  t.deepEqual(await Promise.all(clients.map((client) => gatherer.call({ client }, 100))), clients);
  t.is(compared, 500);
});

test('gathered: the limits of a client have changed within the turn -> calls of before and after go apart', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const before = newClient(1);
  const after = { ...before, dailyQuota: 2 };
  const limited = { ...before, dailyQuota: 2, maxPerSecond: 1 };
  const replies = await admitAll(bench, [
    bench.attempt(before),
    bench.attempt(before),
    bench.attempt(after),
    bench.attempt(limited),
  ]);
  t.deepEqual(
    replies.map(({ status }) => status),
    ['admitted', 'exceeded', 'admitted', 'exceeded'],
  );
  t.deepEqual(bench.sent, ['admit', 'admit', 'admit']);
});

test('gathered: twins in one turn -> never in one call; one is admitted, and charged once', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { client, attempts } = attemptsOf(bench, 2);
  const [first, second] = attempts;
  if (first === undefined || second === undefined) throw new Error('too few');
  const twins = [1, 2, 3].map(() => bench.attempt(client, first.key));
  const deadline = performance.now() + 700;
  const replies = await Promise.all(
    [first, second, ...twins].map((attempt) => bench.admission.admit(attempt, DIGEST, deadline)),
  );
  t.deepEqual(
    replies.map(({ status }) => status),
    ['admitted', 'admitted', 'in_flight', 'in_flight', 'in_flight'],
  );
  const [counter = ''] = await bench.redis.keys(`quota:${client.id}:*`);
  t.is(await bench.used(counter), 2);
  t.deepEqual(bench.sent.slice(0, 4), ['admit', 'admit', 'admit', 'admit']);
});

test('gathered: more than a hundred -> no call takes more, and the quota ends in order', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { attempts } = attemptsOf(bench, 250, newClient(220));
  const replies = await admitAll(bench, attempts);
  t.deepEqual(
    replies.map(({ status }) => status),
    attempts.map((_attempt, index) => (index < 220 ? 'admitted' : 'exceeded')),
  );
  t.deepEqual(bench.sent, ['admit', 'admit', 'admit']);
});

test('gathered: some have much less time than others -> they do not shorten the wait of the others', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 1000 });
  const { attempts } = attemptsOf(bench, 3);
  bench.fate = never;
  const ended: number[] = [];
  const start = performance.now();
  await Promise.allSettled(
    attempts.map((attempt, index) =>
      bench.admission
        .admit(attempt, DIGEST, start + (index === 1 ? 450 : 2800))
        .catch(() => ended.push(Math.round((performance.now() - start) / 100) * 100)),
    ),
  );
  t.deepEqual(ended, [100, 1000, 1000]);
});

test('gathered: refusals -> one call; how much of the quota is used is not asked', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { usage, attempts } = attemptsOf(bench, 2);
  const replies = await Promise.all(attempts.map((attempt) => refuse(bench, attempt)));
  t.deepEqual(
    replies.map(({ status }) => status),
    ['refused', 'refused'],
  );
  t.deepEqual(bench.sent, ['refuse']);
  t.is(usage.used, undefined);
});

test('gathered: a twin is at work -> the others are admitted at once; that key is asked for again by itself', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { client, attempts } = attemptsOf(bench, 3);
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

test('gathered: Redis answers with an error -> each goes alone, and a faulty record fails its own request only', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { attempts } = attemptsOf(bench, 3);
  bench.fate = async ({ run }) => {
    if (bench.sent.length === 1) throw new ReplyError('WRONGTYPE of a record');
    return await run();
  };
  await bench.redis.rpush(attempts[1]?.recordKey ?? '', 'x');
  const ends = await Promise.allSettled(
    attempts.map((attempt) => bench.admission.admit(attempt, DIGEST, soon())),
  );
  t.deepEqual(
    ends.map((end) => end.status === 'fulfilled' && end.value.status),
    ['admitted', false, 'admitted'],
  );
  t.deepEqual(bench.sent, ['admit', 'admit', 'admit', 'admit']);
});

test('gathered: the reply is lost -> each request is told so, and each admission is undone', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 100 });
  const { client, attempts } = attemptsOf(bench, 3);
  bench.fate = async ({ command, run }) => {
    const reply = await run();
    return command === 'admit' ? await never() : reply;
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
  const { client, attempts } = attemptsOf(bench, 5);
  const ends = attempts.map(({ key }) => bench.trackingIds.derive(client.id, key, NOON).epochEndMs);
  const end = Math.min(...ends);
  await bench.setTime(end - 300);
  await bench.link.clock.synchronise();
  await bench.setTime(end + 100);
  const replies = await admitAll(bench, attempts);
  t.deepEqual(bench.sent, ['admit', 'admit']);
  t.deepEqual(
    replies.map((reply) => reply.status === 'admitted' && reply.id),
    attempts.map(({ key }) => bench.trackingIds.derive(client.id, key, end + 100).id),
  );
  const [counter = ''] = await bench.redis.keys(`quota:${client.id}:*`);
  t.is(await bench.used(counter), 5);
});

test('gathered: the day ends before the call runs -> each is charged to the new day', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, MIDNIGHT - 500);
  const { client, attempts } = attemptsOf(bench, 3);
  await bench.setTime(MIDNIGHT + 300);
  const replies = await admitAll(bench, attempts);
  t.true(replies.every((reply) => reply.status === 'admitted' && reply.counterKey.endsWith('2026-11-24')));
  const counters = await bench.redis.keys(`quota:${client.id}:*`);
  t.deepEqual(counters, [`quota:${client.id}:2026-11-24`]);
  t.is(await bench.used(counters[0] ?? ''), 3);
});
