/** What is waited for at the end, though no retry of it has begun. */
import test from 'ava';
import { Settlement } from '../../../src/attempt/settlement.js';
import type { Client } from '../../../src/config/registry.js';
import { createLog } from '../../../src/logging/log.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';

const client: Client = {
  id: 'client',
  name: 'Client',
  isActive: true,
  dailyQuota: 1,
  maxPerSecond: undefined,
};
const attempt = { client, maskedKey: 'c***', key: 'key', recordKey: 'idem:client:key', owner: 'owner' };
const admitted = {
  status: 'admitted',
  id: '00000000-0000-4000-8000-000000000000',
  takenOver: false,
  used: 1,
  counterKey: 'quota:client:2026-05-12',
  digest: 'aaaaaaaaaa',
  leaseEndsAt: 0,
  secondsLeftOfDay: 1,
} as const;

test('drain: a late end has just begun, and Redis does not answer -> it is tried, counted and logged', async (t) => {
  const lines: string[] = [];
  let tries = 0;
  let fail = (): void => {};
  const settlement = new Settlement(
    {
      settle: () => {
        tries += 1;
        return new Promise((_resolve, reject) => {
          fail = () => reject(new RedisUnavailable('no answer', true));
          if (tries > 1) fail();
        });
      },
      refund: async () => {},
    },
    createLog('test', 'error', { write: (line) => lines.push(line) }),
  );
  void settlement.end(attempt, admitted, 'unknown', 0);
  const drained = settlement.drain();
  fail();
  t.deepEqual(await drained, { givenUp: 1 });
  t.is(tries, 2);
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /settlement\.failed/);
});
