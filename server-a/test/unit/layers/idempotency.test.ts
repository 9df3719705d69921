/** The way back of a keyed request, where it depends on Redis's time; everything else is tested on real services. */
import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { idempotency } from '../../../src/layers/idempotency.js';
import { identify } from '../../../src/layers/identify.js';
import { quota } from '../../../src/layers/quota.js';
import { createMetrics } from '../../../src/metrics.js';
import { keyNames } from '../../../src/redis/keys.js';
import { AdmissionBench } from '../../support/admission-bench.js';
import { configOf } from '../../support/configs.js';
import { API_KEYS, contextOf, thrownBy } from '../../support/context.js';
import { logInto } from '../../support/log-into.js';

const NOON = Date.UTC(2026, 10, 23, 12);
const MIDNIGHT = Date.UTC(2026, 10, 24);
const RECORD = `idem:${API_KEYS.active}:order-1`;
const NOTHING_LEFT = configOf({ [API_KEYS.active]: { name: 'Active', daily_quota: 0 } }).registry;

/** Sends a keyed request of a client without units. */
async function refused(bench: AdmissionBench, metrics = createMetrics()): Promise<unknown> {
  const { admission, settlement, link } = bench;
  const ctx = contextOf({
    registry: NOTHING_LEFT,
    headers: { 'api-key': API_KEYS.active, 'idempotency-key': 'order-1' },
    state: { rawBody: Buffer.from('{}') },
  });
  return thrownBy(
    ctx,
    identify(),
    idempotency({
      admission,
      settlement,
      clock: link.clock,
      names: keyNames('single', 'quota'),
      metrics,
      log: logInto('info').log,
      ttlSeconds: 86_400,
      timeoutMs: 500,
    }),
    quota({
      admission,
      settlement,
      publisher: { whyNot: () => undefined },
      timeoutMs: 500,
      throttled: createMetrics().throttled,
      overShare: createMetrics().overShare,
    }),
  );
}

test('429: at noon -> kept for a minute', async (t) => {
  const bench = await AdmissionBench.create({}, NOON);
  const error = await refused(bench);
  t.is(error instanceof ApiError && error.code, 'TOO_MANY_REQUESTS');
  const lifeMs = await bench.redis.pttl(RECORD);
  t.true(lifeMs > 59_000 && lifeMs <= 60_000, `${lifeMs} ms`);
});

test('429: as many refusals of the client are stored as may be -> told, not stored, and counted', async (t) => {
  const bench = await AdmissionBench.create({}, NOON);
  const metrics = createMetrics();
  await bench.redis.set(`refused:${API_KEYS.active}`, 10_000, 'EX', 86_400);
  const error = await refused(bench, metrics);
  t.is(error instanceof ApiError && error.code, 'TOO_MANY_REQUESTS');
  t.is(await bench.redis.exists(RECORD), 0);
  t.deepEqual(
    [...metrics.refusalsNotStored.series()].map(({ labels, value }) => [labels['client'], value]),
    [['Active', 1]],
  );
});

test('429: shortly before midnight -> kept no longer than its day, however late the call runs', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT - 10_000);
  t.is((await refused(bench)) instanceof ApiError, true);
  const lifeMs = await bench.redis.pttl(RECORD);
  t.true(lifeMs > 0 && lifeMs <= 10_000 - 2450, `${lifeMs} ms`);
});

test('429: midnight between the charge and the refusal -> told, and not kept on the new day', async (t) => {
  const bench = await AdmissionBench.create({}, MIDNIGHT - 3000);
  bench.fate = async ({ command, run }) => {
    if (command === 'refuse') await bench.setTime(MIDNIGHT + 200);
    return run();
  };
  const error = await refused(bench);
  t.is(error instanceof ApiError && error.code, 'TOO_MANY_REQUESTS');
  t.is(await bench.redis.exists(RECORD), 0);
});
