/** Three Redis and three sentinels: the gateway follows the master. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startRedisSentinels } from '../../dev/services/redis-sentinels.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-redis-sentinel-'));
const sentinels = await startRedisSentinels(folder);
const site = new Site({
  variables: { REDIS_MODE: 'sentinel', REDIS_URL: sentinels.url, REDIS_SENTINEL_MASTER: sentinels.master },
});
const gateway = await site.startGateway();

test.after.always(async () => {
  await site.close();
  await sentinels.kill();
  await rm(folder, { recursive: true, force: true });
});

const question = () => ({ apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() });

async function untilAccepted(): Promise<void> {
  await waitFor('a 202', async () => (await gateway.send(question())).status === 202, {
    withinMs: 60_000,
    everyMs: 100,
  });
}

test.serial('redis sentinel: at the start -> the master is found, and the log names it', async (t) => {
  t.is((await gateway.send(question())).status, 202);
  const master = await sentinels.masterNode();
  const { node, role } = await gateway.line('redis.ready');
  t.is(node, `127.0.0.1:${master.port}`);
  t.is(role, 'master');
});

test.serial(
  'redis sentinel: a planned failover -> the new master is used, and knows the answers',
  async (t) => {
    const before = await sentinels.masterNode();
    const request = question();
    const first = await gateway.send(request);
    t.is(first.status, 202);
    await sentinels.failOver();
    const after = await waitFor(
      'another master',
      async () => {
        const master = await sentinels.masterNode();
        return master !== before && master;
      },
      { withinMs: 60_000 },
    );
    await gateway.line('redis.ready', ({ node }) => node === `127.0.0.1:${after.port}`);
    await untilAccepted();
    t.deepEqual((await gateway.send(request)).json, first.json);
  },
);

for (const [what, harm, mend] of [
  ['killed', 'kill', 'start'],
  ['frozen', 'freeze', 'resume'],
] as const) {
  test.serial(
    `redis sentinel: the master ${what} -> refused in time, then the new master is used`,
    async (t) => {
      const before = await sentinels.masterNode();
      await before[harm]();
      try {
        const answer = await gateway.send(question());
        t.true(answer.tookMs < 3000);
        await waitFor('another master', async () => (await sentinels.masterNode()) !== before, {
          withinMs: 60_000,
        });
        await untilAccepted();
        await gateway.untilReady();
      } finally {
        await before[mend]();
      }
      // Back, and a replica by now: what it would answer must not be asked for.
      await untilAccepted();
    },
  );
}
