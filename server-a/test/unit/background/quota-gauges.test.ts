import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import { startQuotaGauges } from '../../../src/background/quota-gauges.js';
import { utcDay } from '../../../src/clock.js';
import type { RegistryHolder } from '../../../src/config/registry.js';
import { createMetrics } from '../../../src/metrics.js';
import { keyNames } from '../../../src/redis/keys.js';
import { type ClientGiven, configOf, many } from '../../support/configs.js';
import { MetricsPage } from '../../support/metrics-page.js';
import { MockLink } from '../../support/mock-link.js';
import { waitFor } from '../../support/wait-for.js';

const names = keyNames('single', 'quota');
const registryOf = (clients: Readonly<Record<string, ClientGiven>>) => configOf(clients).registry;

/** Gauges over a Redis in memory, the counters of today by API key. */
async function gauges(
  clients: Readonly<Record<string, ClientGiven>>,
  used: Readonly<Record<string, number>>,
) {
  const redis = await MockLink.create();
  const metrics = createMetrics();
  const count = (key: string, units: number) =>
    redis.redis.set(names.counter(key, utcDay(Date.now()).day), units);
  for (const [key, units] of Object.entries(used)) await count(key, units);
  const registry: RegistryHolder = { current: registryOf(clients) };
  const running = startQuotaGauges({ registry, redis, metrics, names });
  const value = async (metric: string, client: string): Promise<number> =>
    new MetricsPage(await metrics.registry.metrics()).value(metric, { client });
  const shows = (metric: string, client: string, wanted: number) =>
    waitFor(`${metric} of ${client} = ${wanted}`, async () => (await value(metric, client)) === wanted);
  return { redis, registry, running, count, value, shows, metrics };
}

test('quota gauges: at the start -> use and limit of each active client', async (t) => {
  const { running, shows, metrics } = await gauges(
    {
      'key-one': { name: 'One', daily_quota: 10 },
      'key-two': { name: 'Two' },
      'key-three': { name: 'Three', is_active: false },
    },
    { 'key-one': 4, 'key-three': 5 },
  );
  await shows('sms_quota_used', 'One', 4);
  await shows('sms_quota_limit', 'One', 10);
  await shows('sms_quota_limit', 'Two', 9);
  t.false((await metrics.registry.metrics()).includes('Three'));
  running.stop();
});

test('quota gauges: refreshed -> new counts; a client that has gone is no longer shown', async (t) => {
  const { running, registry, count, shows, metrics } = await gauges({ 'key-one': { name: 'One' } }, {});
  await shows('sms_quota_limit', 'One', 9);
  await count('key-two', 3);
  registry.current = registryOf({ 'key-two': { name: 'Two' } });
  running.refreshNow();
  await shows('sms_quota_used', 'Two', 3);
  t.false((await metrics.registry.metrics()).includes('"One"'));
  running.stop();
});

test('quota gauges: two API keys of one name -> the one nearer to its limit', async (t) => {
  const { running, shows } = await gauges(
    { 'key-old': { name: 'One', daily_quota: 10 }, 'key-new': { name: 'One', daily_quota: 100 } },
    { 'key-old': 6, 'key-new': 50 },
  );
  await shows('sms_quota_used', 'One', 6);
  await t.notThrowsAsync(shows('sms_quota_limit', 'One', 10));
  running.stop();
});

test('quota gauges: one master of a cluster away -> use of its clients stays, that of others follows', async (t) => {
  const metrics = createMetrics();
  const clients = { 'key-one': { name: 'One' }, 'key-two': { name: 'Two' } };
  let values: (string | null | undefined)[] = ['4', '5'];
  const redis = { mget: async () => values, clock: { now: () => Date.now() } };
  const registry: RegistryHolder = { current: registryOf(clients) };
  const running = startQuotaGauges({ registry, redis, metrics, names });
  const shows = (client: string, wanted: number) =>
    waitFor(`${client} = ${wanted}`, async () => {
      const page = new MetricsPage(await metrics.registry.metrics());
      return page.value('sms_quota_used', { client }) === wanted;
    });
  await shows('Two', 5);
  values = [undefined, '6'];
  running.refreshNow();
  await shows('Two', 6);
  await t.notThrowsAsync(shows('One', 4));
  running.stop();
});

test('quota gauges: Redis away -> limits are shown, use stays as it was, and follows when Redis is back', async (t) => {
  const { redis, running, count, shows, value, registry } = await gauges(
    { 'key-one': { name: 'One', daily_quota: 5 } },
    { 'key-one': 2 },
  );
  await shows('sms_quota_used', 'One', 2);
  redis.failure = 'before it was sent';
  await count('key-one', 4);
  registry.current = registryOf({ 'key-one': { name: 'One', daily_quota: 7 } });
  running.refreshNow();
  await shows('sms_quota_limit', 'One', 7);
  t.is(await value('sms_quota_used', 'One'), 2);
  redis.failure = undefined;
  running.refreshNow();
  await shows('sms_quota_used', 'One', 4);
  running.stop();
});

test('quota gauges: Redis away, two API keys of one name -> use and limit stay those of one of them', async (t) => {
  const { redis, running, shows, value, registry } = await gauges(
    { 'key-old': { name: 'One', daily_quota: 10 }, 'key-new': { name: 'One', daily_quota: 1000 } },
    { 'key-old': 1, 'key-new': 990 },
  );
  await shows('sms_quota_used', 'One', 990);
  redis.failure = 'before it was sent';
  registry.current = registryOf({
    'key-old': { name: 'One', daily_quota: 10 },
    'key-new': { name: 'One', daily_quota: 1000 },
    'key-two': { name: 'Two' },
  });
  running.refreshNow();
  await shows('sms_quota_limit', 'Two', 9);
  t.is(await value('sms_quota_used', 'One'), 990);
  t.is(await value('sms_quota_limit', 'One'), 1000);
  running.stop();
});

test('quota gauges: more clients than one command asks for -> each has its own count', async (t) => {
  const { running, shows } = await gauges(many(1200), {
    'key-of-a-client-0': 1,
    'key-of-a-client-499': 2,
    'key-of-a-client-500': 3,
    'key-of-a-client-1199': 4,
  });
  await shows('sms_quota_used', 'Client 0', 1);
  await shows('sms_quota_used', 'Client 499', 2);
  await shows('sms_quota_used', 'Client 500', 3);
  await t.notThrowsAsync(shows('sms_quota_used', 'Client 1199', 4));
  running.stop();
});

test('quota gauges: 5,000 clients, of which one has sent since -> the event loop turns fifty times while they are looked through', async (t) => {
  const metrics = createMetrics();
  const registry: RegistryHolder = { current: registryOf(many(5000)) };
  let last = '1';
  // It answers within the turn: every turn that is counted is the gauges' own.
  const redis = {
    mget: async (keys: readonly string[]) => keys.map((key) => (key.includes('client-4999') ? last : '1')),
    clock: { now: () => Date.now() },
  };
  const running = startQuotaGauges({ registry, redis, metrics, names });
  const turnsUntil = async (wanted: number): Promise<number> => {
    let turns = 0;
    for (; [...metrics.quotaUsed.series()][4999]?.value !== wanted; turns += 1) await turnOfTheLoop();
    return turns;
  };
  await turnsUntil(1);
  last = '2';
  running.refreshNow();
  t.true((await turnsUntil(2)) >= 50);
  running.stop();
});
