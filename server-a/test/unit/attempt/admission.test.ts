/** Admission against the scripts themselves, on ioredis-mock (which test/lua holds to what Redis does). */
import test from 'ava';
import { ReplyError } from 'ioredis';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { AdmissionBench, never, newClient, newSender, REFUSAL, soon } from '../../support/admission-bench.js';

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 10, 23, 12);
const MIDNIGHT = Date.UTC(2026, 10, 24);

test('admit: a new key -> admitted at Redis’s time: its id, its day, what is left of the day', async (t) => {
  const bench = await AdmissionBench.create({ leaseMs: 3000 }, NOON);
  const client = newClient();
  const attempt = bench.attempt(client);
  const before = performance.now();
  const { leaseEndsAt, secondsLeftOfDay, ...rest } = await admitted(bench, attempt);
  const counterKey = `quota:${client.id}:2026-11-23`;
  const { id } = bench.trackingIds.derive(client.id, attempt.key, NOON);
  t.deepEqual(rest, { status: 'admitted', id, takenOver: false, used: 1, counterKey, digest: 'aaaaaaaaaa' });
  t.true(leaseEndsAt >= before + 3000 && leaseEndsAt <= performance.now() + 3000);
  t.true(secondsLeftOfDay > 12 * 3600 - 60 && secondsLeftOfDay <= 12 * 3600);
  t.is(await bench.used(counterKey), 1);
});

async function admitted(bench: AdmissionBench, attempt: ReturnType<AdmissionBench['attempt']>) {
  const reply = await bench.admission.admit(attempt, 'aaaaaaaaaa', soon());
  if (reply.status !== 'admitted') throw new Error(`not admitted: ${reply.status}`);
  return reply;
}

for (const [what, errorMs] of [
  ['behind', -2 * HOUR_MS],
  ['ahead', 2 * HOUR_MS],
] as const) {
  test(`admit: the estimate of Redis’s time is two hours ${what} -> corrected, asked again, charged once`, async (t) => {
    const bench = await AdmissionBench.create({}, NOON);
    await bench.setTime(NOON - errorMs);
    const { used } = await admitted(bench, bench.attempt(newClient()));
    t.is(used, 1);
    t.deepEqual(bench.sent, ['admit', 'admit']);
    t.true(Math.abs((bench.link.clock.now() ?? 0) - (NOON - errorMs)) < HOUR_MS / 60);
  });
}

test('admit: the day has changed since the estimate -> charged to the new day alone', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT - 500);
  const client = newClient();
  // So little later that only the day's end, and no deadline, tells the one from the other.
  await bench.setTime(MIDNIGHT + 300);
  const { counterKey, secondsLeftOfDay } = await admitted(bench, bench.attempt(client));
  t.is(counterKey, `quota:${client.id}:2026-11-24`);
  t.true(secondsLeftOfDay > 86_400 - 120);
  t.deepEqual(await bench.redis.keys(`quota:${client.id}:*`), [counterKey]);
});

test('admit: estimated to be the next day already, a moment too early -> charged to the day that it is', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT + 500);
  const client = newClient();
  await bench.setTime(MIDNIGHT - 1000);
  const { counterKey } = await admitted(bench, bench.attempt(client));
  t.is(counterKey, `quota:${client.id}:2026-11-23`);
  t.deepEqual(await bench.redis.keys(`quota:${client.id}:*`), [counterKey]);
});

test('admit: the key’s epoch has changed since the estimate -> the id of the new epoch', async (t) => {
  const bench = await AdmissionBench.create({ ttlSeconds: 3600 }, NOON);
  const client = newClient();
  const attempt = bench.attempt(client);
  const { epochEndMs } = bench.trackingIds.derive(client.id, attempt.key, NOON);
  await bench.setTime(epochEndMs - 500);
  await bench.link.clock.synchronise();
  // So little later that only the epoch's end, and no deadline, tells the one from the other.
  await bench.setTime(epochEndMs + 300);
  const { id } = await admitted(bench, attempt);
  t.is(id, bench.trackingIds.derive(client.id, attempt.key, epochEndMs).id);
});

test('admit: estimated to be the key’s next epoch, a moment too early -> the id of the epoch that it is', async (t) => {
  const bench = await AdmissionBench.create({ ttlSeconds: 3600 }, NOON);
  const client = newClient();
  const attempt = bench.attempt(client);
  const { id: expected, epochEndMs } = bench.trackingIds.derive(client.id, attempt.key, NOON);
  await bench.setTime(epochEndMs + 500);
  await bench.link.clock.synchronise();
  await bench.setTime(epochEndMs - 1000);
  t.is((await admitted(bench, attempt)).id, expected);
});

test('admit: another time whenever Redis is asked -> given up as certainly not run, and nothing is charged', async (t) => {
  const bench = await AdmissionBench.create({}, NOON);
  const attempt = bench.attempt(newClient());
  let time = NOON;
  bench.fate = async ({ run }) => {
    time += HOUR_MS;
    await bench.setTime(time);
    return run();
  };
  const error = await t.throwsAsync(() => bench.admission.admit(attempt, 'aaaaaaaaaa', soon()), {
    instanceOf: RedisUnavailable,
  });
  t.false(error.maybeRan);
  t.deepEqual(bench.sent, ['admit', 'admit', 'admit']);
  t.is(bench.settlement.waiting, 0);
  t.deepEqual(await bench.redis.keys(`*${attempt.client.id}*`), []);
});

test('admit, refuse, consume: Redis’s time is not known -> certainly not run; nothing is sent', async (t) => {
  const bench = await AdmissionBench.create();
  const attempt = bench.attempt(newClient());
  bench.redis.time = never;
  for (const ask of [
    () => bench.admission.admit(attempt, 'aaaaaaaaaa', soon()),
    () => bench.admission.refuse(attempt, 'aaaaaaaaaa', REFUSAL, soon()),
    () => bench.admission.consume(attempt, soon()),
  ]) {
    bench.link.clock.forget();
    const error = await t.throwsAsync(ask, { instanceOf: RedisUnavailable });
    t.false(error.maybeRan);
  }
  t.deepEqual(bench.sent, []);
});

test('admit: Redis answers with an error -> thrown as it is, with nothing to undo', async (t) => {
  const bench = await AdmissionBench.create();
  bench.fate = () => Promise.reject(new ReplyError('OOM command not allowed'));
  await t.throwsAsync(() => bench.admission.admit(bench.attempt(newClient()), 'aaaaaaaaaa', soon()), {
    instanceOf: ReplyError,
  });
  t.is(bench.settlement.waiting, 0);
});

test('admit: no unit is left -> exceeded, with what is left of the day', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT - 60_000);
  const reply = await bench.admission.admit(bench.attempt(newClient(0)), 'aaaaaaaaaa', soon());
  t.is(reply.status, 'exceeded');
  t.true(reply.status === 'exceeded' && reply.secondsLeftOfDay > 0 && reply.secondsLeftOfDay <= 60);
});

test('refuse: a new key -> refused and stored under the id that it names, for the life of that moment', async (t) => {
  const bench = await AdmissionBench.create({}, NOON);
  const client = newClient();
  const attempt = bench.attempt(client);
  const times: number[] = [];
  const lifeMsAt = (nowMs: number): number => {
    times.push(nowMs);
    return 30_000;
  };
  await bench.setTime(NOON + HOUR_MS);
  const reply = await bench.admission.refuse(attempt, 'aaaaaaaaaa', { ...REFUSAL, lifeMsAt }, soon());
  const { id } = bench.trackingIds.derive(client.id, attempt.key, NOON + HOUR_MS);
  t.deepEqual([reply.status, 'id' in reply && reply.id], ['refused', id]);
  t.is(await bench.redis.get(attempt.recordKey), `1A${id}aaaaaaaaaa400{"tracking_id":"${id}"}`);
  const life = await bench.redis.pttl(attempt.recordKey);
  t.true(life > 0 && life <= 30_000);
  // The first estimate was an hour behind.
  t.is(times.length, 2);
  t.true(Math.abs((times[1] ?? 0) - (NOON + HOUR_MS)) < HOUR_MS / 60);
});

test('consume: the day has changed since the estimate -> taken on the new day alone', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT - 60_000);
  const sender = newSender(1);
  await bench.setTime(MIDNIGHT + 60_000);
  const reply = await bench.admission.consume(sender, soon());
  const counterKey = `quota:${sender.client.id}:2026-11-24`;
  if (reply.status !== 'consumed') return t.fail(reply.status);
  t.deepEqual([reply.used, reply.counterKey], [1, counterKey]);
  t.true(reply.secondsLeftOfDay > 86_400 - 120);
  t.deepEqual(await bench.redis.keys(`quota:${sender.client.id}:*`), [counterKey]);
  t.is((await bench.admission.consume(sender, soon())).status, 'exceeded');
});
