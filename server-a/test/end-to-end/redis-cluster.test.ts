/**
 * A Redis Cluster of three masters and three replicas: slots that move, failovers, and what a sender sees of them.
 *
 * Over 250 lines: starting a cluster takes many times what a test of it takes, so all tests share one.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { moveSlot } from '../../dev/services/move-slot.js';
import { type RedisClusterNode, startRedisCluster } from '../../dev/services/redis-cluster.js';
import { keyNames } from '../../src/redis/keys.js';
import { slotOf } from '../../src/redis/slots.js';
import { itemsOf, resultsOf } from '../support/batches.js';
import type { Answer } from '../support/http-client.js';
import { REQUESTS_PATH } from '../support/paths.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const CLIENTS = ['one', 'two', 'three', 'four', 'five', 'six', 'moved', 'held', 'batched', 'known'] as const;
/** Clients that may send two new messages in a second. */
const LIMITED = ['limited one', 'limited two', 'limited three'] as const;

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-redis-cluster-'));
const cluster = await startRedisCluster({ dataDir: folder });
const site = new Site({
  clients: {
    ...Object.fromEntries(CLIENTS.map((name) => [name, {}])),
    ...Object.fromEntries(LIMITED.map((name) => [name, { max_per_second: 2 }])),
  },
  variables: {
    REDIS_MODE: 'cluster',
    REDIS_URL: cluster.url,
    // Long limits: on a busy machine no answer may be late.
    REDIS_TIMEOUT_MS: '2000',
    PUBLISH_TIMEOUT_MS: '2400',
  },
});
const names = keyNames('cluster', site.quotaPrefix);
const gateway = await site.startGateway();

test.after.always(async () => {
  await site.close();
  await cluster.kill();
  await rm(folder, { recursive: true, force: true });
});

const slotOfClient = (client: string): number => slotOf(names.record(site.apiKey(client), ''));

async function used(client: string): Promise<number> {
  const master = await cluster.masterOf(slotOfClient(client));
  const counters = await master.admin.keys(`${site.quotaPrefix}:*`);
  const own = counters.filter((counter) => counter.includes(`{${site.apiKey(client)}}`));
  const values = await Promise.all(own.map((counter) => master.admin.get(counter)));
  return values.reduce((sum, value) => sum + Number(value), 0);
}

test.serial(
  'redis cluster: clients on all masters -> accepted, replayed, counted; the log names the nodes',
  async (t) => {
    for (const client of CLIENTS.slice(0, 6)) {
      const request = { apiKey: site.apiKey(client), idempotencyKey: randomUUID(), body: newBody() };
      const first = await gateway.send(request);
      t.is(first.status, 202);
      const second = await gateway.send(request);
      t.is(second.status, 202);
      t.is(second.headers['idempotent-replayed'], 'true');
      t.deepEqual(second.json, first.json);
      const faulty = { ...request, idempotencyKey: randomUUID(), body: { to: '1' } };
      const refused = await gateway.send(faulty);
      t.is(refused.status, 400);
      t.deepEqual((await gateway.send(faulty)).bytes, refused.bytes);
      const known = await gateway.ask(`${REQUESTS_PATH}${request.idempotencyKey}`, 'GET', {
        'API-Key': request.apiKey,
      });
      t.is(known.json['tracking_id'], first.json['tracking_id']);
      t.is((await gateway.send({ apiKey: site.apiKey(client), body: newBody() })).status, 202);
      t.is(await used(client), 2);
    }
    const masters = await gateway.line('redis.cluster_ready');
    t.truthy(masters['masters']);
    t.true(
      gateway.log.some(
        ({ message, node }) => message === 'redis.ready' && String(node).startsWith('127.0.0.1:'),
      ),
    );
  },
);

test.serial(
  'redis cluster: clients with max_per_second -> limited each by a bucket beside their counter; a retry never is',
  async (t) => {
    for (const client of LIMITED) {
      const requests = Array.from({ length: 12 }, (_, n) => ({
        apiKey: site.apiKey(client),
        body: newBody(),
        // Keyed ones and others: both scripts have the bucket as a key.
        ...(n % 2 === 0 && { idempotencyKey: randomUUID() }),
      }));
      const began = performance.now();
      const answers = await Promise.all(requests.map((request) => gateway.send(request)));
      const seconds = Math.ceil((performance.now() - began) / 1000);
      const accepted = answers.filter(({ status }) => status === 202).length;
      t.true(accepted >= 2 && accepted <= 2 + 2 * seconds, `${accepted} within ${seconds} s`);
      for (const { status, json } of answers.filter(({ status }) => status !== 202)) {
        t.is(status, 429);
        t.deepEqual(json['details'], { reason: 'rate', max_per_second: 2 });
      }
      t.is(await used(client), accepted);
      const keyed = requests.filter((request) => 'idempotencyKey' in request);
      for (const request of keyed) {
        await waitFor('a 202', async () => (await gateway.send(request)).status === 202, {
          withinMs: 30_000,
        });
      }
      const replays = await Promise.all(keyed.map((request) => gateway.send(request)));
      t.true(replays.every(({ headers }) => headers['idempotent-replayed'] === 'true'));
    }
  },
);

test.serial(
  'redis cluster: slots move while requests go on -> nothing but 202, and no key has two ids',
  async (t) => {
    let stopped = false;
    const statuses: number[] = [];
    let slowest = 0;
    const sender = (async () => {
      while (!stopped) {
        const request = { apiKey: site.apiKey('moved'), idempotencyKey: randomUUID(), body: newBody() };
        const first = await gateway.send(request);
        const again = await gateway.send(request);
        statuses.push(first.status, again.status);
        slowest = Math.max(slowest, first.tookMs, again.tookMs);
        t.is(again.json['tracking_id'], first.json['tracking_id']);
      }
    })();
    const slot = slotOfClient('moved');
    for (let round = 0; round < 6 || statuses.length < 60; round += 1) {
      const from = await cluster.masterOf(slot);
      const to = mastersOtherThan(from)[round % 2];
      if (to !== undefined) await moveSlot(cluster, slot, from, to);
    }
    stopped = true;
    await sender;
    t.log(`${statuses.length} answers, the slowest after ${Math.round(slowest)} ms`);
    t.true(statuses.length > 10);
    t.deepEqual(new Set(statuses), new Set([202]));
  },
);

test.serial(
  'redis cluster: a slot moves while batches of its client go on -> nothing but 202, one id and one unit for each key',
  async (t) => {
    let stopped = false;
    let batches = 0;
    const send = async (messages: readonly unknown[]) =>
      resultsOf(await gateway.sendBatch({ apiKey: site.apiKey('batched'), body: { messages } }));
    const sender = (async () => {
      while (!stopped) {
        const items = itemsOf(20);
        const first = await send(items);
        const again = await send([...items].reverse());
        t.deepEqual([...new Set([...first, ...again].map(({ status }) => status))], [202]);
        t.deepEqual(
          again.reverse().map(({ body }) => body['tracking_id']),
          first.map(({ body }) => body['tracking_id']),
        );
        batches += 1;
      }
    })();
    const slot = slotOfClient('batched');
    for (let round = 0; round < 6 || batches < 20; round += 1) {
      const from = await cluster.masterOf(slot);
      const to = mastersOtherThan(from)[round % 2];
      if (to !== undefined) await moveSlot(cluster, slot, from, to);
    }
    stopped = true;
    await sender;
    t.is(await used('batched'), batches * 20);
  },
);

test.serial(
  'redis cluster: a slot is on its way -> a new key waits, and is accepted when the slot has arrived',
  async (t) => {
    const slot = slotOfClient('held');
    t.is((await gateway.send({ apiKey: site.apiKey('held'), body: newBody() })).status, 202);
    const from = await cluster.masterOf(slot);
    const [to] = mastersOtherThan(from);
    if (to === undefined) throw new Error('one master');
    // The counter is here, the record is nowhere: the script is told TRYAGAIN until the slot has moved.
    let answered = false;
    let asked: Promise<Answer> | undefined;
    await moveSlot(cluster, slot, from, to, async () => {
      asked = gateway.send({ apiKey: site.apiKey('held'), idempotencyKey: randomUUID(), body: newBody() });
      void asked.then(() => {
        answered = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 400));
      t.false(answered);
    });
    t.is((await asked)?.status, 202);
    t.is(await used('held'), 2);
  },
);

test.serial(
  'redis cluster: a slot is on its way -> who has an answer is told it at once, whoever asks beside it, and whatever is asked',
  async (t) => {
    const [slot, apiKey] = [slotOfClient('known'), site.apiKey('known')];
    const [known, fresh] = itemsOf(2);
    const send = async (messages: readonly unknown[]) =>
      resultsOf(await gateway.sendBatch({ apiKey, body: { messages } }));
    const [answered] = await send([known]);
    const from = await cluster.masterOf(slot);
    const [to] = mastersOtherThan(from);
    if (to === undefined) throw new Error('one master');
    await moveSlot(cluster, slot, from, to, async () => {
      // The new key is in neither place: a call that has it is told TRYAGAIN, until the batch's time is over.
      const [replayed, waited] = await send([known, fresh]);
      t.deepEqual([replayed?.status, replayed?.body], [202, answered?.body]);
      t.is(waited?.status, 500);
      // A body that cannot be read is refused, and nothing is to be stored: the key alone is asked.
      const idempotencyKey = String(answered?.key);
      const asked = await gateway.send({
        apiKey,
        idempotencyKey,
        body: 'x',
        headers: { 'Content-Type': 'text/plain' },
      });
      t.deepEqual([asked.status, asked.json], [202, answered?.body]);
    });
    t.is((await send([known, fresh]))[1]?.status, 202);
    t.is(await used('known'), 2);
  },
);

test.serial(
  'redis cluster: a planned failover, then a master killed -> accepted again without a restart',
  async (t) => {
    const slot = slotOfClient('one');
    const planned = await cluster.masterOf(slot);
    const [replica] = await cluster.replicasOf(planned);
    const request = { apiKey: site.apiKey('one'), idempotencyKey: randomUUID(), body: newBody() };
    const first = await gateway.send(request);
    await replica?.admin.call('CLUSTER', 'FAILOVER');
    await waitFor('the failover', async () => (await cluster.masterOf(slot)) === replica, {
      withinMs: 30_000,
    });
    const untilAccepted = () =>
      waitFor(
        'a 202',
        async () => (await gateway.send({ ...request, idempotencyKey: randomUUID() })).status === 202,
        { withinMs: 60_000, everyMs: 100 },
      );
    await untilAccepted();
    t.deepEqual((await gateway.send(request)).json, first.json);
    await cluster.untilWhole();

    const killed = await cluster.masterOf(slot);
    await killed.kill();
    // Other masters' clients do not notice.
    const other = CLIENTS.find((client) => !sameMaster(slotOfClient(client), slot));
    const elsewhere = await gateway.send({ apiKey: site.apiKey(other ?? 'two'), body: newBody() });
    t.is(elsewhere.status, 202);
    t.is((await gateway.ask('/readyz')).status, 200);
    await untilAccepted();
    t.deepEqual((await gateway.send(request)).json, first.json);
    await killed.start();
  },
);

function mastersOtherThan(node: RedisClusterNode): RedisClusterNode[] {
  return cluster.nodes.slice(0, 3).filter((other) => other !== node);
}

/** Before any slot had moved, each master had a third of them. */
function sameMaster(one: number, other: number): boolean {
  return Math.floor((one * 3) / 16_384) === Math.floor((other * 3) / 16_384);
}
