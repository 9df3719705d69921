/**
 * What happens to the nodes and to the gateways: how each is made, and how it heals.
 *
 * Over 250 lines: a list, some lines for each event.
 */
import { moveSlot } from '../../dev/services/move-slot.js';
import type { RedisClusterNode } from '../../dev/services/redis-cluster.js';
import { slotOf } from '../../src/redis/slots.js';
import type { Gateway } from '../faults/gateway.js';
import { leaderOf, type Nodes, type RedisKind } from './world.js';

/** What an event may lay hands on. */
export interface Scene {
  readonly nodes: Nodes;
  readonly gateways: readonly Gateway[];
  readonly outboundQueue: string;
  /** API keys of the senders' clients. */
  readonly clients: readonly string[];
}

/** Something that happens. */
export interface ClusterEvent {
  readonly name: string;
  readonly redis: RedisKind;
  readonly target: 'redis' | 'rabbitmq' | 'gateways' | 'nothing';
  /** Milliseconds that it lasts before it heals. */
  readonly lastsMs: number;
  /** Redis may lose writes that it has acknowledged: the quota may count too little. */
  readonly losesWrites?: true;
  /** Leaves so much data behind that it comes after all other experiments. */
  readonly leavesData?: true;
  /** Every answer must be 202, but for this many in a thousand. */
  readonly notAcceptedPerMille?: number;
  readonly make: (scene: Scene) => Promise<void>;
  readonly heal: (scene: Scene) => Promise<void>;
}

const nothing = async (): Promise<void> => {};

/** Master of the first client: of the others', some live there too. */
function masterInUse({ nodes, clients }: Scene): Promise<RedisClusterNode> {
  return nodes.redis.masterOf(slotOf(`{${clients[0] ?? ''}}`));
}

async function startAll({ nodes }: Scene): Promise<void> {
  await Promise.all([
    ...nodes.redis.nodes.map((node) => node.start()),
    ...nodes.sentinels.nodes.map((node) => node.start()),
    ...nodes.rabbitmq.nodes.map((node) => node.start()),
  ]);
}

function resumeAll({ nodes }: Scene): void {
  for (const node of [...nodes.redis.nodes, ...nodes.sentinels.nodes, ...nodes.rabbitmq.nodes]) node.resume();
}

async function moveSlots({ nodes: { redis }, clients }: Scene, count: number): Promise<void> {
  const used = clients.map((client) => slotOf(`{${client}}`));
  const others = Array.from({ length: count - used.length }, (_, index) =>
    Math.floor((index * 16_384) / count),
  );
  const slots = [...new Set([...used, ...others])];
  const masters: RedisClusterNode[] = [];
  for (const slot of [0, 8000, 16_000]) masters.push(await redis.masterOf(slot));
  const distinct = [...new Set(masters)];
  for (const slot of slots) {
    const from = await redis.masterOf(slot);
    const to = distinct.filter((node) => node !== from)[slot % (distinct.length - 1)];
    if (to !== undefined) await moveSlot(redis, slot, from, to);
  }
}

const RECORDS = 1_000_000;
const RECORDS_AT_ONCE = 20_000;
/** Writes answered records as the gateway does, of the client's slot. */
const FILL = `for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('SET', KEYS[1] .. n, '1A' .. ARGV[3] .. '0123456789202', 'PX', 3600000)
end`;

/** Gives the first client a million records, and moves its slot to another master. */
async function moveMillion({ nodes: { redis }, clients }: Scene): Promise<void> {
  const slot = slotOf(`{${clients[0] ?? ''}}`);
  const from = await redis.masterOf(slot);
  for (let first = 0; first < RECORDS; first += RECORDS_AT_ONCE) {
    const id = '00000000-0000-4000-8000-000000000000';
    const last = first + RECORDS_AT_ONCE - 1;
    await from.admin.eval(FILL, 1, `idem:{${clients[0] ?? ''}}:filler-`, first, last, id);
  }
  const to = redis.nodes.slice(0, 3).find((node) => node !== from);
  const startedAt = performance.now();
  if (to !== undefined) await moveSlot(redis, slot, from, to);
  process.stdout.write(
    `The slot of a million records took ${Math.round((performance.now() - startedAt) / 1000)} s to move.\n`,
  );
}

/** One after the other, each back before the next goes. */
async function restartNodes({ nodes }: Scene): Promise<void> {
  for (const node of nodes.rabbitmq.nodes) {
    await node.stop();
    await node.start();
    // As an operator who waits until the node has its queues again: `rabbitmq-queues check_if_node_is_quorum_critical`.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const status = await node.ctl('cluster_status', '--formatter', 'json').catch(() => '{}');
      if (JSON.parse(status).running_nodes?.length === nodes.rabbitmq.nodes.length) break;
    }
  }
}

async function replaceGateways({ gateways }: Scene): Promise<void> {
  for (const gateway of gateways) {
    const code = await gateway.end('SIGTERM');
    if (code !== 0) throw new Error(`a gateway ended with ${code}`);
    await gateway.restart();
    await gateway.untilReady(15_000);
    // The balancer's checks.
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** Every event, alone. */
export const EVENTS: readonly ClusterEvent[] = [
  {
    name: 'nothing',
    redis: 'cluster',
    target: 'nothing',
    lastsMs: 3000,
    notAcceptedPerMille: 0,
    make: nothing,
    heal: nothing,
  },
  {
    name: 'Redis Cluster: a master killed -9',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 7000,
    losesWrites: true,
    make: async (scene) => (await masterInUse(scene)).kill(),
    heal: startAll,
  },
  {
    name: 'Redis Cluster: a planned failover',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 4000,
    make: async (scene) => {
      const [replica] = await scene.nodes.redis.replicasOf(await masterInUse(scene));
      await replica?.admin.call('CLUSTER', 'FAILOVER');
    },
    heal: nothing,
  },
  {
    name: 'Redis Cluster: a master frozen',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 8000,
    losesWrites: true,
    make: async (scene) => (await masterInUse(scene)).freeze(),
    heal: async (scene) => resumeAll(scene),
  },
  {
    name: 'Redis Cluster: 1,500 slots moved',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 0,
    notAcceptedPerMille: 1,
    make: (scene) => moveSlots(scene, 1500),
    heal: nothing,
  },
  {
    name: 'Redis Cluster: emptied',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 2000,
    losesWrites: true,
    make: async ({ nodes }) => {
      for (const { admin } of nodes.redis.nodes) await admin.flushall().catch(() => {});
    },
    heal: nothing,
  },
  {
    name: 'Redis Sentinel: the master killed -9',
    redis: 'sentinel',
    target: 'redis',
    lastsMs: 8000,
    losesWrites: true,
    make: async ({ nodes }) => (await nodes.sentinels.masterNode()).kill(),
    heal: startAll,
  },
  {
    name: 'Redis Sentinel: a planned failover',
    redis: 'sentinel',
    target: 'redis',
    lastsMs: 6000,
    // Sentinel does not hold writes back while it fails over.
    losesWrites: true,
    make: ({ nodes }) => nodes.sentinels.failOver(),
    heal: nothing,
  },
  {
    name: 'Redis Sentinel: the master frozen',
    redis: 'sentinel',
    target: 'redis',
    lastsMs: 9000,
    losesWrites: true,
    make: async ({ nodes }) => (await nodes.sentinels.masterNode()).freeze(),
    heal: async (scene) => resumeAll(scene),
  },
  {
    name: "RabbitMQ: the queue leader's node killed -9",
    redis: 'cluster',
    target: 'rabbitmq',
    lastsMs: 6000,
    make: async ({ nodes, outboundQueue }) => (await leaderOf(outboundQueue, nodes.rabbitmq)).kill(),
    heal: startAll,
  },
  {
    name: "RabbitMQ: the queue leader's node frozen",
    redis: 'cluster',
    target: 'rabbitmq',
    lastsMs: 15_000,
    make: async ({ nodes, outboundQueue }) => (await leaderOf(outboundQueue, nodes.rabbitmq)).freeze(),
    heal: async (scene) => resumeAll(scene),
  },
  {
    name: 'RabbitMQ: all nodes restarted, one after the other',
    redis: 'cluster',
    target: 'rabbitmq',
    lastsMs: 0,
    make: restartNodes,
    heal: nothing,
  },
  {
    name: 'RabbitMQ: the majority away',
    redis: 'cluster',
    target: 'rabbitmq',
    lastsMs: 5000,
    make: async ({ nodes }) => {
      await Promise.all(nodes.rabbitmq.nodes.slice(0, 2).map((node) => node.kill()));
    },
    heal: startAll,
  },
  {
    name: 'Redis Cluster: a slot with a million records moved',
    redis: 'cluster',
    target: 'redis',
    lastsMs: 0,
    leavesData: true,
    make: moveMillion,
    heal: nothing,
  },
  {
    name: 'every gateway replaced, one after the other',
    redis: 'cluster',
    target: 'gateways',
    lastsMs: 0,
    notAcceptedPerMille: 0,
    make: replaceGateways,
    heal: nothing,
  },
];

/** Names of events that happen together. */
export const PAIRS: readonly (readonly [string, string])[] = [
  ['Redis Cluster: a master killed -9', "RabbitMQ: the queue leader's node killed -9"],
  ['Redis Cluster: 1,500 slots moved', 'every gateway replaced, one after the other'],
  ['Redis Cluster: emptied', 'RabbitMQ: all nodes restarted, one after the other'],
];
