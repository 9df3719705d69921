import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type RabbitMqCluster, startRabbitMqCluster } from '../../dev/services/rabbitmq-cluster.js';
import type { RabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { type RedisCluster, startRedisCluster } from '../../dev/services/redis-cluster.js';
import { type RedisSentinels, startRedisSentinels } from '../../dev/services/redis-sentinels.js';

/** How the gateways of an experiment reach Redis. */
export type RedisKind = 'cluster' | 'sentinel';

/** All nodes of an experiment, started once for all experiments. */
export interface Nodes {
  readonly redis: RedisCluster;
  readonly sentinels: RedisSentinels;
  readonly rabbitmq: RabbitMqCluster;
  readonly dataDir: string;
  stop(): Promise<void>;
}

/** Starts six Redis as a cluster, three Redis with three sentinels, and three RabbitMQ nodes. */
export async function startNodes(): Promise<Nodes> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sms-gateway-cluster-'));
  const [redis, sentinels, rabbitmq] = await Promise.all([
    startRedisCluster({ dataDir: join(dataDir, 'redis') }),
    startRedisSentinels(join(dataDir, 'sentinels')),
    startRabbitMqCluster({ dataDir: join(dataDir, 'rabbitmq') }),
  ]);
  return {
    redis,
    sentinels,
    rabbitmq,
    dataDir,
    stop: async () => {
      await Promise.all([redis.kill(), sentinels.kill(), rabbitmq.kill()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Variables by which a gateway reaches the nodes. */
export function addressesFor(
  kind: RedisKind,
  { redis, sentinels, rabbitmq }: Nodes,
): Readonly<Record<string, string>> {
  return {
    REDIS_MODE: kind,
    REDIS_URL: kind === 'cluster' ? redis.url : sentinels.url,
    REDIS_SENTINEL_MASTER: sentinels.master,
    RABBITMQ_URL: rabbitmq.url,
  };
}

/** Returns the node that leads a quorum queue. @throws Error when no node can say */
export async function leaderOf(queue: string, { nodes }: RabbitMqCluster): Promise<RabbitMqServer> {
  for (const node of nodes) {
    if (node.pid === undefined) continue;
    const lines = await node.ctl('list_queues', 'name', 'leader').catch(() => '');
    const line = lines.split('\n').find((text) => text.startsWith(`${queue}\t`));
    const leader = nodes.find(({ nodeName }) => nodeName === line?.split('\t')[1]?.trim());
    if (leader !== undefined) return leader;
  }
  throw new Error(`nobody leads ${queue}`);
}

/** Sums a client's counters of all days and masters. */
export async function countOf(
  pattern: string,
  kind: RedisKind,
  { redis, sentinels }: Nodes,
): Promise<number> {
  if (kind === 'cluster') {
    const roles = await Promise.all(
      redis.nodes.map(async (node) => ({ node, role: (await node.admin.role())[0] })),
    );
    const masters = roles.filter(({ role }) => role === 'master').map(({ node }) => node.admin);
    const sums = await Promise.all(masters.map((master) => sumOf(master, pattern)));
    return sums.reduce((total, sum) => total + sum, 0);
  }
  const client = new Redis((await sentinels.masterNode()).url);
  try {
    return await sumOf(client, pattern);
  } finally {
    client.disconnect();
  }
}

async function sumOf(client: Redis, pattern: string): Promise<number> {
  const keys = await client.keys(pattern);
  const counts = await Promise.all(keys.map((key) => client.get(key)));
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}

const WHOLE_WITHIN_MS = 90_000;

/** Waits until every node is back and knows the others. @throws Error when that takes too long */
export async function untilWhole({ redis, sentinels, rabbitmq }: Nodes): Promise<void> {
  await redis.untilWhole();
  const deadline = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const problem = (await missingFromRabbitMq(rabbitmq)) ?? (await missingFromSentinels(sentinels));
    if (problem === undefined) return;
    if (performance.now() > deadline) throw new Error(problem);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function missingFromRabbitMq({ nodes }: RabbitMqCluster): Promise<string | undefined> {
  for (const node of nodes) {
    const text = await node.ctl('cluster_status', '--formatter', 'json').catch(() => '{}');
    const { running_nodes: running = [] }: { readonly running_nodes?: readonly string[] } = JSON.parse(text);
    if (running.length === nodes.length) continue;
    // A frozen node that goes on may find itself alone, and stay so: as an operator would.
    if (running.length > 0 && running.length < nodes.length / 2) {
      await node.kill();
      await node.start();
    }
    return `${node.nodeName} knows ${running.join(', ')}`;
  }
  return undefined;
}

async function missingFromSentinels(sentinels: RedisSentinels): Promise<string | undefined> {
  const master = await sentinels.masterNode().catch(() => undefined);
  if (master?.pid === undefined) return 'the sentinels name no master that runs';
  const client = new Redis(master.url, { retryStrategy: () => null });
  client.on('error', () => {});
  try {
    const replication = await client.info('replication');
    const whole = replication.includes('role:master') && replication.includes('connected_slaves:2');
    return whole && !/state=(?!online)/.test(replication) ? undefined : replication;
  } catch (error) {
    return String(error);
  } finally {
    client.disconnect();
  }
}
