/** Sentinels and data nodes that say what no real ones say on command. */
import test, { type ExecutionContext } from 'ava';
import { connectRedisBySentinels } from '../../../src/redis/connect-sentinel.js';
import { type FakeRedis, startFakeRedis } from '../../support/fake-redis.js';
import { logInto } from '../../support/log-into.js';
import { waitFor } from '../../support/wait-for.js';

const READONLY = "READONLY You can't write against a read only replica.";

/** Starts an old and a new master, and as many sentinels as there are functions that say which of the two is named. */
async function world(t: ExecutionContext, ...named: readonly (() => 'old' | 'young')[]) {
  let hasFailedOver = false;
  const start = async (answer: Parameters<typeof startFakeRedis>[0]): Promise<FakeRedis> => {
    const server = await startFakeRedis(answer);
    t.teardown(() => server.close());
    return server;
  };
  const old = await start((command) => {
    if (!hasFailedOver) return undefined;
    if (command.startsWith('INFO')) return 'role:slave\r\nloading:0\r\n';
    return command.startsWith('SET ') ? new Error(READONLY) : undefined;
  });
  const young = await start(() => undefined);
  const sentinels: FakeRedis[] = [];
  for (const name of named) {
    const sentinel = await start((command) =>
      command.startsWith('SENTINEL GET-MASTER-ADDR-BY-NAME')
        ? ['127.0.0.1', String((name() === 'old' ? old : young).port)]
        : undefined,
    );
    sentinels.push(sentinel);
  }
  const { log } = logInto('silent');
  const urls = sentinels.map(({ address }) => `redis://${address}`).join(',');
  const settings = { urls, database: 0, master: 'mymaster', username: '', password: '' };
  const link = connectRedisBySentinels(settings, {}, 500, log);
  t.teardown(() => link.close());
  return {
    link,
    sentinels,
    old,
    young,
    failOver: () => {
      hasFailedOver = true;
    },
  };
}

test('redis sentinel: the first sentinel names a master of the past -> the next one is asked', async (t) => {
  const { link, young, failOver } = await world(
    t,
    () => 'old',
    () => 'young',
  );
  failOver();
  await waitFor('the new master', () => link.usable && young.open() > 0);
  await t.notThrowsAsync(link.checkWrite());
});

test('redis sentinel: ended while it asks for the master, as ioredis does when it is told of a failover -> asks again', async (t) => {
  const { link, young } = await world(t, () => 'young');
  link.client.disconnect();
  await waitFor('the master', () => link.usable && young.open() > 0);
  await t.notThrowsAsync(link.checkWrite());
});

test('redis sentinel: the master became a replica, nobody said so, and only readiness is asked for -> left for the new master', async (t) => {
  let failedOver = false;
  const { link, old, young, failOver } = await world(t, () => (failedOver ? 'young' : 'old'));
  await waitFor('the old master', () => link.usable);
  t.is(young.open(), 0);
  failedOver = true;
  failOver();
  await t.throwsAsync(link.checkWrite(), { message: 'refuses writes' });
  await waitFor('the new master', () => link.usable && young.open() > 0);
  await t.notThrowsAsync(link.checkWrite());
  await waitFor('no connection to the old one', () => old.open() === 0);
});

test('redis sentinel: failover after failover -> no connection is left behind, to Redis or to a sentinel', async (t) => {
  let current: 'old' | 'young' = 'old';
  const named = () => current;
  const { link, old, young, sentinels } = await world(t, named, named, named);
  for (let round = 0; round < 8; round += 1) {
    const [used, other] = current === 'old' ? [old, young] : [young, old];
    await waitFor('the master', () => link.usable && used.open() === 1 && other.open() === 0);
    // One connection that listens for failovers, and none of the questions before.
    await waitFor('no more', () => sentinels.every((sentinel) => sentinel.open() <= 1));
    current = current === 'old' ? 'young' : 'old';
    used.cut();
  }
  await waitFor('the last master', () => link.usable);
  t.is(old.open() + young.open(), 1);
});
