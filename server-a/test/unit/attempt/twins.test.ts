/** Requests that meet another attempt at work on their key. */
import test from 'ava';
import type { AdmitReply } from '../../../src/redis/calls.js';
import { NotRun } from '../../../src/redis/routes.js';
import { Scripts } from '../../../src/redis/scripts.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { AdmissionBench, newClient, REFUSAL, soon } from '../../support/admission-bench.js';
import { useVirtualClock } from '../../support/virtual-clock.js';

async function admitted(bench: AdmissionBench, attempt: ReturnType<AdmissionBench['attempt']>) {
  const reply = await bench.admission.admit(attempt, 'aaaaaaaaaa', soon());
  if (reply.status !== 'admitted') throw new Error(`not admitted: ${reply.status}`);
  return reply;
}

test('twin: another attempt is at work all the time -> in_flight, in time for a settlement, and waited for once', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const client = newClient();
  const first = bench.attempt(client);
  const { id } = await admitted(bench, first);
  const deadline = performance.now() + 1200;
  const reply = await bench.admission.admit(bench.attempt(client, first.key), 'aaaaaaaaaa', deadline);
  t.deepEqual([reply.status, reply.status === 'in_flight' && reply.id], ['in_flight', id]);
  t.true(performance.now() < deadline);
  t.is(bench.waits, 1);
  t.true(bench.sent.length > 2);
});

test('twin: no time for another look -> in_flight after one look', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const client = newClient();
  const first = bench.attempt(client);
  await admitted(bench, first);
  const twin = bench.attempt(client, first.key);
  t.is((await bench.admission.admit(twin, 'aaaaaaaaaa', performance.now() + 600)).status, 'in_flight');
  t.deepEqual(bench.sent, ['admit', 'admit']);
});

for (const [ending, status] of [
  ['answered', 'answered'],
  ['not_sent', 'admitted'],
  ['unknown', 'admitted'],
] as const) {
  test(`twin: the first attempt ends as ${ending} while it waits -> ${status}, under the first id, one unit charged`, async (t) => {
    useVirtualClock(t);
    const bench = await AdmissionBench.create();
    const client = newClient();
    const first = bench.attempt(client);
    const claim = await admitted(bench, first);
    bench.fate = async ({ command, run }) => {
      const reply = await run();
      // The twin has looked once, and waits.
      if (command === 'admit') {
        bench.fate = (call) => call.run();
        await bench.settlement.end(first, claim, ending, 60_000);
      }
      return reply;
    };
    const reply = await bench.admission.admit(bench.attempt(client, first.key), 'aaaaaaaaaa', soon());
    t.deepEqual([reply.status, 'id' in reply && reply.id], [status, claim.id]);
    t.is('takenOver' in reply && reply.takenOver, ending === 'unknown');
    t.is(await bench.used(claim.counterKey), 1);
    t.is(bench.waits, 1);
  });
}

test('refuse: an attempt is at work all the time -> in_flight after waiting, and nothing is replaced', async (t) => {
  useVirtualClock(t);
  const bench = await AdmissionBench.create();
  const client = newClient();
  const first = bench.attempt(client);
  await admitted(bench, first);
  const twin = bench.attempt(client, first.key);
  const reply = await bench.admission.refuse(twin, 'aaaaaaaaaa', REFUSAL, performance.now() + 1200);
  t.is(reply.status, 'in_flight');
  t.is(bench.waits, 1);
});

test('twin: waits after a redirection, and then nothing is run any more -> given up once, and waited for once', async (t) => {
  useVirtualClock(t);
  let looks = 0;
  let lastLookAt = 0;
  class Redirected extends Scripts {
    override async admit(): Promise<AdmitReply> {
      looks += 1;
      // The pauses have become long, so this one begins anew with short ones.
      const isAnew = looks > 10 && performance.now() - lastLookAt < 50;
      lastLookAt = performance.now();
      if (looks !== 2 && !isAnew) throw new NotRun('TRYAGAIN');
      return { status: 'in_flight', id: 'id', leaseLeftMs: 5000, mismatch: false };
    }
  }
  const { link } = await AdmissionBench.create();
  const bench = await AdmissionBench.create({ scripts: new Redirected(link) });
  const error = await t.throwsAsync(bench.admission.admit(bench.attempt(newClient()), 'aaaaaaaaaa', soon()), {
    instanceOf: RedisUnavailable,
    message: 'TRYAGAIN',
  });
  t.false(error.maybeRan);
  t.is(bench.waits, 1);
});
