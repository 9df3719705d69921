/** Calls that Redis may have run, or may still run, and whose reply never came. */
import test from 'ava';
import type { Sender } from '../../../src/config/registry.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { AdmissionBench, never, newClient, newSender, REFUSAL, soon } from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const NOON = Date.UTC(2026, 10, 23, 12);

test('admit: it ran, but its reply was lost -> undone in the background: no record, no unit', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 500 });
  const attempt = bench.attempt(newClient());
  bench.fate = async ({ command, run }) => {
    const reply = await run();
    return command === 'admit' ? never() : reply;
  };
  const error = await t.throwsAsync(() => bench.admission.admit(attempt, 'aaaaaaaaaa', soon()), {
    instanceOf: RedisUnavailable,
  });
  t.true(error.maybeRan);
  t.is(await bench.redis.exists(attempt.recordKey), 1);
  t.is(bench.settlement.waiting, 1);
  await heard(bench);
  await waitFor('the undoing', () => bench.settlement.waiting === 0);
  t.is(await bench.redis.exists(attempt.recordKey), 0);
  const [counterKey = ''] = await bench.redis.keys(`quota:${attempt.client.id}:*`);
  t.is(await bench.used(counterKey), 0);
  t.deepEqual(bench.logged, []);
});

/** Redis answers again: a link that has waited in vain sends nothing more until it hears something. */
async function heard(bench: AdmissionBench): Promise<void> {
  await bench.link.checkWrite();
}

test('admit: it has not run when it is undone, and comes late -> the undoing waits for its deadline; it does nothing', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 600 });
  const attempt = bench.attempt(newClient());
  let runLate: (() => Promise<unknown>) | undefined;
  const undone: unknown[] = [];
  bench.fate = async ({ command, run }) => {
    if (command === 'admit') {
      runLate = run;
      throw new Error('Connection is closed.');
    }
    const reply = await run();
    undone.push(...(Array.isArray(reply) ? reply.flat() : [reply]));
    return reply;
  };
  const error = await t.throwsAsync(() => bench.admission.admit(attempt, 'aaaaaaaaaa', soon()), {
    instanceOf: RedisUnavailable,
  });
  t.true(error.maybeRan);
  await waitFor('the undoing', () => bench.settlement.waiting === 0);
  t.is(undone.at(-1), 'absent');
  t.true(undone.length > 1 && undone.slice(0, -1).every((status) => status === 'early'), undone.join());
  const reply = await runLate?.();
  t.is(Array.isArray(reply) ? reply[0] : reply, 'not_now');
  t.deepEqual(await bench.redis.keys(`*${attempt.client.id}*`), []);
});

test('admit: it has not run when it is undone, and runs behind that in time -> undone by a later try', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 2000 });
  const attempt = bench.attempt(newClient());
  let runLate: (() => Promise<unknown>) | undefined;
  let undoings = 0;
  bench.fate = async ({ command, run }) => {
    if (command === 'admit') {
      runLate = run;
      throw new Error('Connection is closed.');
    }
    const reply = await run();
    undoings += 1;
    if (undoings === 1) await runLate?.();
    return reply;
  };
  await t.throwsAsync(() => bench.admission.admit(attempt, 'aaaaaaaaaa', soon()));
  await waitFor('the undoing', () => bench.settlement.waiting === 0);
  t.is(undoings, 2);
  t.is(await bench.redis.exists(attempt.recordKey), 0);
  const [counterKey = ''] = await bench.redis.keys(`quota:${attempt.client.id}:*`);
  t.is(await bench.used(counterKey), 0);
});

test('refuse: its reply was lost -> unavailable; there is nothing to undo', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 500 });
  bench.fate = never;
  const refusing = () => bench.admission.refuse(bench.attempt(newClient()), 'aaaaaaaaaa', REFUSAL, soon());
  const error = await t.throwsAsync(refusing, { instanceOf: RedisUnavailable });
  t.true(error.maybeRan);
  t.is(bench.settlement.waiting, 0);
});

test('consume: its reply never comes -> unavailable; the unit stays taken', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: 500 }, NOON);
  const sender = newSender();
  bench.fate = async ({ run }) => {
    await run();
    return never();
  };
  const error = await t.throwsAsync(() => bench.admission.consume(sender, soon()), {
    instanceOf: RedisUnavailable,
  });
  t.true(error.maybeRan);
  t.is(bench.settlement.waiting, 0);
  t.is(await bench.used(counterOf(sender)), 1);
});

const counterOf = ({ client }: Sender): string => `quota:${client.id}:2026-11-23`;

for (const { what, quota, units, sent } of [
  { what: 'a unit was taken -> it is given back', quota: 5, units: 0, sent: ['quotaConsume', 'quotaRefund'] },
  { what: 'no unit was left -> nothing is given back', quota: 0, units: undefined, sent: ['quotaConsume'] },
]) {
  test(`consume: its reply comes after the limit, and says that ${what}`, async (t) => {
    useVirtualClock(t);
    const bench = await AdmissionBench.create({ timeoutMs: 500 }, NOON);
    const sender = newSender(quota);
    let letReplyIn = (): void => {};
    const held = new Promise<void>((resolve) => {
      letReplyIn = resolve;
    });
    bench.fate = async ({ command, run }) => {
      const reply = await run();
      if (command === 'quotaConsume') await held;
      return reply;
    };
    await t.throwsAsync(() => bench.admission.consume(sender, soon()), { instanceOf: RedisUnavailable });
    // A shutdown that has begun before the reply waits for it.
    const drained = bench.settlement.drain();
    letReplyIn();
    await drained;
    t.is(await bench.used(counterOf(sender)), units);
    t.deepEqual(bench.sent, sent);
    t.deepEqual(bench.logged, []);
  });
}
