/** Endings of attempts, and units of requests without a key, gathered; on ioredis-mock, as in gatherer.test.ts. */
import test from 'ava';
import { ReplyError } from 'ioredis';
import {
  AdmissionBench,
  admitAll,
  attemptsOf,
  never,
  newClient,
  newSender,
  soon,
} from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const NOON = Date.UTC(2026, 10, 23, 12);

test('gathered: units for requests without a key -> one call; those beyond the quota are told so', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, NOON);
  const sender = newSender(3);
  const replies = await Promise.all(Array.from({ length: 5 }, () => bench.admission.consume(sender, soon())));
  t.deepEqual(
    replies.map((reply) => [reply.status, reply.status === 'throttled' ? undefined : reply.used]),
    [
      ['consumed', 1],
      ['consumed', 2],
      ['consumed', 3],
      ['exceeded', 3],
      ['exceeded', 3],
    ],
  );
  t.deepEqual(bench.sent, ['quotaConsume']);
  t.is(await bench.used(`quota:${sender.client.id}:2026-11-23`), 3);
});

test('gathered: units of a client with a limit per second -> those beyond it are throttled', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, NOON);
  const sender = { client: newClient(9, 2), maskedKey: 'key-***' };
  const replies = await Promise.all(Array.from({ length: 3 }, () => bench.admission.consume(sender, soon())));
  t.deepEqual(
    replies.map(({ status }) => status),
    ['consumed', 'consumed', 'throttled'],
  );
  t.is(await bench.used(`quota:${sender.client.id}:2026-11-23`), 2);
});

test('gathered: units whose reply comes late -> each one that was taken is given back', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 100 }, NOON);
  const sender = newSender(3);
  let answer = (): void => {};
  bench.fate = async ({ command, run }) => {
    const reply = await run();
    if (command === 'quotaConsume') await new Promise<void>((resolve) => (answer = resolve));
    return reply;
  };
  const ends = await Promise.allSettled(
    Array.from({ length: 5 }, () => bench.admission.consume(sender, soon())),
  );
  t.true(ends.every(({ status }) => status === 'rejected'));
  const counter = `quota:${sender.client.id}:2026-11-23`;
  t.is(await bench.used(counter), 3);
  answer();
  t.deepEqual(await bench.settlement.drain(), { givenUp: 0 });
  t.is(await bench.used(counter), 0);
});

test('gathered: Redis answers units with an error -> each is told so, and none is asked for a second time', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({}, NOON);
  bench.fate = async ({ run }) => {
    await run();
    throw new ReplyError('ERR after the units were taken');
  };
  const sender = newSender(9);
  const ends = await Promise.allSettled(
    Array.from({ length: 3 }, () => bench.admission.consume(sender, soon())),
  );
  t.true(ends.every(({ status }) => status === 'rejected'));
  t.deepEqual(bench.sent, ['quotaConsume']);
});

/** Ends attempts that are to be admitted. */
async function admittedOf(bench: AdmissionBench, count: number) {
  const { usage, attempts } = attemptsOf(bench, count);
  const admitted = await admitAll(bench, attempts);
  bench.sent.length = 0;
  const end = (index: number, ending: 'answered' | 'not_sent' | 'held' | 'unknown', limitMs = 1000) => {
    const [attempt, reply] = [attempts[index], admitted[index]];
    if (attempt === undefined || reply?.status !== 'admitted') throw new Error('not admitted');
    const durationMs = ending === 'answered' || ending === 'held' ? 60_000 : 0;
    return bench.settlement.end(attempt, reply, ending, durationMs, limitMs);
  };
  return { usage, attempts, end };
}

test('gathered: endings of one turn -> one call for those that are alike', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { usage, end } = await admittedOf(bench, 6);
  const endings = ['answered', 'answered', 'not_sent', 'answered', 'not_sent', 'unknown'] as const;
  const replies = await Promise.all(endings.map((ending, index) => end(index, ending)));
  t.deepEqual(
    replies.map((reply) => reply?.status),
    ['answered', 'answered', 'withdrawn', 'answered', 'withdrawn', 'open'],
  );
  t.deepEqual(bench.sent, ['settle', 'settle', 'settle']);
  t.is(usage.used, 4);
});

test('gathered: two endings of one key in a turn -> in their order, whoever else is ended with them', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const { attempts, end } = await admittedOf(bench, 2);
  await Promise.all([end(0, 'unknown'), end(1, 'held'), end(1, 'unknown')]);
  const record = (await bench.redis.get(attempts[1]?.recordKey ?? '')) ?? '';
  // The lease that was held longer is over.
  t.is(record.slice(49, 62), '0000000000000');
  t.deepEqual(bench.sent, ['settle', 'settle', 'settle']);
});

test('gathered: answers cannot be stored together -> each alone; where nothing is heard, each in the background', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 100 });
  const { attempts, end } = await admittedOf(bench, 2);
  bench.fate = async ({ run }) => {
    if (bench.sent.length === 1) throw new ReplyError('ERR of one of them');
    return await run();
  };
  const held = await Promise.all([end(0, 'held', 100), end(1, 'held', 100)]);
  t.deepEqual(
    held.map((reply) => reply?.status),
    ['open', 'open'],
  );
  bench.sent.length = 0;
  bench.fate = ({ run }) => (bench.sent.length === 1 ? never() : run());
  t.deepEqual(await Promise.all([end(0, 'answered', 100), end(1, 'answered', 100)]), [undefined, undefined]);
  await bench.link.checkWrite();
  await waitFor('the endings', () => bench.settlement.waiting === 0);
  t.deepEqual(await bench.settlement.drain(), { givenUp: 0 });
  for (const { recordKey } of attempts) t.regex((await bench.redis.get(recordKey)) ?? '', /^1A/);
});
