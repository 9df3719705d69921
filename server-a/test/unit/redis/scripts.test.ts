/** How long a script that is sent anew may take; what the scripts do is tested in test/lua. */
import test from 'ava';
import type { RedisClient } from '../../../src/redis/client.js';
import { RedisLink } from '../../../src/redis/link.js';
import { NotRun } from '../../../src/redis/routes.js';
import { Scripts } from '../../../src/redis/scripts.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { createMockRedis } from '../../support/mock-redis.js';

const LIMIT_MS = 30_000;
const ANSWER_AFTER_MS = 50;
const SETTLEMENT = {
  ending: 'unknown',
  recordKey: 'idem:client:order-1',
  counterKey: 'quota:client:2026-11-23',
  owner: 'owner-1',
  id: '8a6e0804-2bd0-4672-b79d-d97027f9071a',
  digest: 'aaaaaaaaaa',
  durationMs: 0,
  admitDeadlineMs: 0,
} as const;

/** A link to a Redis that says, a while after the first question, that it has not run; to all others it says nothing. */
class SlowlyRedirecting extends RedisLink {
  /** What each question was given, in milliseconds. */
  readonly limits: (number | undefined)[] = [];

  override async call<Reply, T>(
    _send: (client: RedisClient) => Promise<Reply>,
    _read: (reply: Reply) => T,
    limitMs?: number,
  ): Promise<T> {
    this.limits.push(limitMs);
    // Not waited for: a busy machine would take longer than any limit that a test can have.
    if (this.limits.length > 1) throw new RedisUnavailable('no answer in time', true);
    await new Promise((resolve) => setTimeout(resolve, ANSWER_AFTER_MS));
    throw new NotRun('MOVED');
  }
}

async function slowlyRedirecting(): Promise<SlowlyRedirecting> {
  const { redis } = await createMockRedis();
  return new SlowlyRedirecting(Object.assign(redis, { status: 'ready' as const }), 500);
}

for (const [what, work] of [
  ['settle', (scripts: Scripts) => scripts.settle(SETTLEMENT, LIMIT_MS)],
  ['refund', (scripts: Scripts) => scripts.refund(SETTLEMENT.counterKey, LIMIT_MS, () => {})],
] as const) {
  test(`${what}: not run, sent anew, and then no answer -> all of it within its limit`, async (t) => {
    const link = await slowlyRedirecting();
    await t.throwsAsync(() => work(new Scripts(link)), { instanceOf: RedisUnavailable });
    const [first, rest = 0, ...others] = link.limits;
    t.is(first, LIMIT_MS);
    // Timers may be a little early.
    t.true(rest > 0 && rest <= LIMIT_MS - ANSWER_AFTER_MS + 5, `${rest} ms`);
    t.deepEqual(others, []);
  });
}
