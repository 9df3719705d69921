/** Units that are given back, where Redis says what became of that only after the request's limit. */
import test, { type ExecutionContext } from 'ava';
import { ReplyError } from 'ioredis';
import { AdmissionBench, newSender, soon } from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const ID = '8a6e0804-2bd0-4672-b79d-d97027f9071a';
const LIMIT_MS = 500;

/** Takes a unit. */
async function consumed(t: ExecutionContext) {
  useVirtualClock(t);
  const bench = await AdmissionBench.create({ timeoutMs: LIMIT_MS });
  const sender = newSender();
  const taken = await bench.admission.consume(sender, soon());
  if (taken.status !== 'consumed') throw new Error(taken.status);
  return { bench, sender, counterKey: taken.counterKey };
}

/**
 * Takes a unit, and gives it back with a limit that the first answer of Redis does not keep.
 *
 * @param runs whether the first refund runs
 * @returns the means to let that answer come: a reply, or an error
 */
async function refundedLate(t: ExecutionContext, runs: boolean) {
  const { bench, sender, counterKey } = await consumed(t);
  let answer = (_error?: Error): void => {};
  bench.fate = async ({ run }) => {
    bench.fate = (next) => next.run();
    const reply = runs ? await run() : undefined;
    await new Promise<void>((resolve, reject) => {
      answer = (error) => (error === undefined ? resolve() : reject(error));
    });
    return reply;
  };
  await bench.settlement.refund(sender, counterKey, ID, LIMIT_MS);
  t.is(bench.settlement.waiting, 1);
  t.deepEqual(bench.logged, []);
  return { bench, used: () => bench.used(counterKey), answer };
}

const refunds = ({ sent }: AdmissionBench): number =>
  sent.filter((command) => command === 'quotaRefund').length;

test('refund: its reply comes after the limit -> the unit is given back once, and nothing is logged', async (t) => {
  const { bench, used, answer } = await refundedLate(t, true);
  answer();
  await waitFor('the end', () => bench.settlement.waiting === 0);
  t.deepEqual([refunds(bench), await used(), bench.logged], [1, 0, []]);
});

test('refund: Redis says after the limit that it did not run -> given back again', async (t) => {
  const { bench, used, answer } = await refundedLate(t, false);
  answer(new ReplyError('OOM command not allowed'));
  await waitFor('the end', () => bench.settlement.waiting === 0);
  t.deepEqual([refunds(bench), await used(), bench.logged], [2, 0, []]);
});

test('refund: the connection ends after the limit -> not again, since it may have run; logged', async (t) => {
  const { bench, answer } = await refundedLate(t, true);
  answer(new Error('Connection is closed.'));
  await waitFor('the end', () => bench.settlement.waiting === 0);
  t.is(refunds(bench), 1);
  t.deepEqual(
    bench.logged.map(({ message, kind, tracking_id }) => ({ message, kind, tracking_id })),
    [{ message: 'settlement.failed', kind: 'refund', tracking_id: ID }],
  );
});

test('refund: a shutdown is cut short before Redis says what became of it -> logged, once', async (t) => {
  const { bench, answer } = await refundedLate(t, false);
  bench.settlement.cutShort();
  answer(new ReplyError('OOM command not allowed'));
  await bench.settlement.drain();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.deepEqual([refunds(bench), bench.logged.length], [1, 1]);
});

/** As {@link refundedLate}, but for a first try that certainly did not run: a later try is the one without an answer. */
async function repeatedLate(t: ExecutionContext) {
  const { bench, sender, counterKey } = await consumed(t);
  let answer = (_error: Error): void => {};
  let isLate = false;
  bench.fate = async () => {
    bench.fate = async () => {
      bench.fate = (next) => next.run();
      isLate = true;
      await new Promise((_resolve, reject) => {
        answer = reject;
      });
    };
    throw new ReplyError('OOM command not allowed');
  };
  await bench.settlement.refund(sender, counterKey, ID, LIMIT_MS);
  await waitFor('the second try', () => isLate);
  await new Promise((resolve) => setTimeout(resolve, 2 * LIMIT_MS));
  return { bench, used: () => bench.used(counterKey), answer };
}

test('refund: Redis says after the limit that a repeated one did not run -> given back once more', async (t) => {
  const { bench, used, answer } = await repeatedLate(t);
  t.is(bench.settlement.waiting, 1);
  answer(new ReplyError('OOM command not allowed'));
  await waitFor('the end', () => bench.settlement.waiting === 0);
  t.deepEqual([refunds(bench), await used(), bench.logged], [3, 0, []]);
});

test('refund: the connection ends after the limit of a repeated one -> a shutdown waits for it, and it is logged', async (t) => {
  const { bench, answer } = await repeatedLate(t);
  const drained = bench.settlement.drain();
  answer(new Error('Connection is closed.'));
  t.deepEqual(await drained, { givenUp: 1 });
  t.deepEqual([refunds(bench), bench.logged.length], [2, 1]);
});
