/** Three RabbitMQ nodes: the gateway goes on to another when the one that it uses dies, freezes or is cut off. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startRabbitMqCluster } from '../../dev/services/rabbitmq-cluster.js';
import type { RabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import type { Gateway } from '../support/gateway.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-rabbitmq-nodes-'));
const cluster = await startRabbitMqCluster({ dataDir: folder });
const site = new Site({ variables: { RABBITMQ_URL: cluster.url } });
const gateway = await site.startGateway();

test.after.always(async () => {
  await site.close();
  await cluster.kill();
  await rm(folder, { recursive: true, force: true });
});

/** The node that the gateway said last that it is connected to. */
function nodeOf(asked: Gateway): RabbitMqServer {
  const name = asked.log.filter(({ message }) => message === 'rabbitmq.ready').at(-1)?.['node'];
  const node = cluster.nodes.find(({ port }) => name === `127.0.0.1:${port}`);
  if (node === undefined) throw new Error(`connected to ${String(name)}`);
  return node;
}

const send = () => gateway.send({ apiKey: site.apiKey('main'), body: newBody() });

/** Waits until all nodes see each other, and the gateway has a confirm of the node that it named last. */
async function untilWhole(): Promise<void> {
  await waitFor(
    'all nodes',
    async () => {
      const running = await Promise.all(
        cluster.nodes.map((node) => node.ctl('cluster_status', '--formatter', 'json').catch(() => '')),
      );
      return running.every((text) => text.includes('"running_nodes"') && isWhole(text));
    },
    { withinMs: 100_000, everyMs: 500 },
  );
  await untilAccepted();
}

async function untilAccepted(): Promise<void> {
  await waitFor('a 202', async () => (await send()).status === 202, { withinMs: 60_000, everyMs: 100 });
}

test.serial('three nodes: queues declared -> quorum queues with three members', async (t) => {
  const [node] = cluster.nodes;
  for (const queue of [site.outboundQueue, `${site.outboundQueue}.dead`, site.heartbeatQueue]) {
    const found = await node?.ctl('list_queues', 'name', 'type', 'members');
    const line = found?.split('\n').find((text) => text.startsWith(`${queue}\t`)) ?? '';
    t.regex(line, /\tquorum\t/);
    t.is(line.match(/@localhost/g)?.length, 3, line);
  }
});

test.serial('three nodes: the one in use killed -> another is used at once, without a restart', async (t) => {
  await untilAccepted();
  const node = nodeOf(gateway);
  const killedAt = performance.now();
  await node.kill();
  const { node: named } = await gateway.line('rabbitmq.disconnected');
  t.is(named, `127.0.0.1:${node.port}`);
  await untilAccepted();
  t.log(`202 again after ${Math.round(performance.now() - killedAt)} ms`);
  t.not(nodeOf(gateway), node);
  await gateway.untilReady();
  await node.start();
});

test.serial('three nodes: the one in use frozen -> it is left before the heartbeats tell', async (t) => {
  await untilWhole();
  const node = nodeOf(gateway);
  const name = `127.0.0.1:${node.port}`;
  const statuses: number[] = [];
  node.freeze();
  const frozenAt = performance.now();
  try {
    // Many messages: on a busy machine one may be refused on its way, and then no confirm of it is missed.
    await waitFor(
      'a node that is left',
      async () => {
        statuses.push((await send()).status);
        return gateway.log.some((line) => line['message'] === 'rabbitmq.node_left' && line['node'] === name);
      },
      { withinMs: 30_000 },
    );
    t.log(`left after ${Math.round(performance.now() - frozenAt)} ms; answers: ${statuses.join(' ')}`);
    await waitFor('another node', () => nodeOf(gateway) !== node, { withinMs: 30_000 });
    // Confirms come when the cluster has given the frozen node up, if that was the queue's leader.
    await untilAccepted();
    t.not(nodeOf(gateway), node);
  } finally {
    // Begun anew, not thawed: a node that finds itself alone after a freeze may not come back to its cluster by itself.
    await node.kill();
    await node.start();
  }
});

test.serial(
  'three nodes: two of them gone -> refused in time, nothing accepted; back -> 202 again',
  async (t) => {
    await untilWhole();
    const [first, second] = cluster.nodes;
    await Promise.all([first?.kill(), second?.kill()]);
    await waitFor('a refusal', async () => (await send()).status === 500, { withinMs: 30_000 });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const answer = await send();
      t.is(answer.status, 500);
      t.true(answer.tookMs < 3000);
    }
    await Promise.all([first?.start(), second?.start()]);
    await untilAccepted();
  },
);

function isWhole(status: string): boolean {
  const { running_nodes: running }: { readonly running_nodes: readonly string[] } = JSON.parse(status);
  return running.length === cluster.nodes.length;
}
