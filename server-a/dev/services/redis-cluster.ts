import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findFreePort } from './free-port.js';
import type { ManagedServer } from './managed-server.js';
import { startRedisServer } from './redis-server.js';

/** What kind of cluster to start. */
export interface RedisClusterOptions {
  /** Directory for logs and data of all nodes; made if missing, never removed. */
  readonly dataDir: string;
  /** Masters, each with one replica. Default: three. */
  readonly masters?: number;
  /** More arguments for each `redis-server`. */
  readonly extraArgs?: readonly string[];
}

/** One node of a cluster, and a client of its own. */
export interface RedisClusterNode extends ManagedServer {
  readonly admin: Redis;
  /** Port by which the nodes of the cluster talk to each other. */
  readonly busPort: number;
}

/** Private Redis nodes that are one cluster. */
export interface RedisCluster {
  /** All nodes: first those that were masters at the start, then their replicas. */
  readonly nodes: readonly RedisClusterNode[];
  /** Value of REDIS_URL: all nodes. */
  readonly url: string;
  /** Returns the master of a slot, as a node that runs sees it. */
  masterOf(slot: number): Promise<RedisClusterNode>;
  /** Returns the replicas of a node. */
  replicasOf(node: RedisClusterNode): Promise<RedisClusterNode[]>;
  /** Waits until all slots are served and every node that runs agrees. @throws Error when that takes over a minute */
  untilWhole(): Promise<void>;
  /** Ends all nodes at once. */
  kill(): Promise<void>;
}

const SLOTS = 16_384;
/** Milliseconds after which a silent node counts as gone; the usual 15 s would outlast an experiment. */
const NODE_TIMEOUT_MS = 2000;
const WHOLE_WITHIN_MS = 60_000;

/**
 * Starts Redis nodes on 127.0.0.1 that form one cluster (append-only file, no eviction), and resolves when all slots are
 * served and every replica follows its master.
 *
 * @throws Error as startRedisServer does
 */
export async function startRedisCluster({
  dataDir,
  masters: count = 3,
  extraArgs = [],
}: RedisClusterOptions): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: 2 * count }, async (_, index) => {
      // By default it is the port plus 10,000, where outgoing connections have theirs.
      const busPort = await findFreePort();
      const server = await startRedisServer({
        dataDir: join(dataDir, `node-${index}`),
        appendOnly: true,
        extraArgs: [
          ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
          ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
          ...['--cluster-require-full-coverage', 'no', '--repl-diskless-sync-delay', '0'],
          ...extraArgs,
        ],
      });
      const admin = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
      admin.on('error', () => {});
      return asNode(server, admin, busPort);
    }),
  );
  const cluster = new Nodes(nodes);
  try {
    await joinCluster(nodes, count);
    await cluster.untilWhole();
  } catch (error) {
    await cluster.kill();
    throw error;
  }
  return cluster;
}

function asNode(server: ManagedServer, admin: Redis, busPort: number): RedisClusterNode {
  return {
    admin,
    busPort,
    url: server.url,
    port: server.port,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    freeze: () => server.freeze(),
    resume: () => server.resume(),
  };
}

class Nodes implements RedisCluster {
  constructor(readonly nodes: readonly RedisClusterNode[]) {}

  get url(): string {
    return this.nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
  }

  async masterOf(slot: number): Promise<RedisClusterNode> {
    const owner = (await this.#slots()).find(({ from, to }) => from <= slot && slot <= to);
    return this.#at(owner?.master);
  }

  async replicasOf(node: RedisClusterNode): Promise<RedisClusterNode[]> {
    const found = await Promise.all(
      this.#running().map(async (other) => ({ other, role: await other.admin.role() })),
    );
    return found
      .filter(({ role: [kind, , port] }) => kind === 'slave' && Number(port) === node.port)
      .map(({ other }) => other);
  }

  async untilWhole(): Promise<void> {
    const deadline = Date.now() + WHOLE_WITHIN_MS;
    let problem = '';
    while (Date.now() < deadline) {
      // A node that has just started still loads its data.
      problem = await this.#whatIsMissing().catch(String);
      if (problem === '') return;
      await delay(100);
    }
    throw new Error(`The cluster is not whole: ${problem}`);
  }

  async kill(): Promise<void> {
    for (const { admin } of this.nodes) admin.disconnect();
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  #running(): RedisClusterNode[] {
    return this.nodes.filter(({ pid }) => pid !== undefined);
  }

  #at(port: number | undefined): RedisClusterNode {
    const found = this.nodes.find((node) => node.port === port);
    if (found === undefined) throw new Error(`no node at port ${port}`);
    return found;
  }

  async #slots(): Promise<{ from: number; to: number; master: number }[]> {
    const [node] = this.#running();
    const ranges: unknown = await node?.admin.cluster('SLOTS');
    return Array.isArray(ranges)
      ? ranges.map(([from, to, master]) => ({
          from: Number(from),
          to: Number(to),
          master: Number(master[1]),
        }))
      : [];
  }

  async #whatIsMissing(): Promise<string> {
    for (const { admin, port } of this.#running()) {
      const info = String(await admin.cluster('INFO'));
      const nodes = String(await admin.cluster('NODES'));
      if (!info.includes('cluster_state:ok') || !info.includes(`cluster_slots_ok:${SLOTS}`))
        return `${port}: ${info}`;
      if (nodes.includes('fail')) return `${port}: ${nodes}`;
      if (!info.includes(`cluster_known_nodes:${this.nodes.length}`))
        return `${port} does not know all nodes`;
      const replication = await admin.info('replication');
      if (replication.includes('role:slave') && !replication.includes('master_link_status:up')) {
        return `${port} does not follow its master`;
      }
      if (
        replication.includes('role:master') &&
        !replication.includes('state=online') &&
        this.#running().length === this.nodes.length
      ) {
        return `${port} has no replica`;
      }
    }
    return '';
  }
}

async function joinCluster(nodes: readonly RedisClusterNode[], masters: number): Promise<void> {
  const [first] = nodes;
  if (first === undefined) return;
  await Promise.all(
    nodes.map(async ({ admin }, index) => {
      await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      if (index >= masters) return;
      const from = Math.floor((SLOTS * index) / masters);
      const to = Math.floor((SLOTS * (index + 1)) / masters) - 1;
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
    }),
  );
  for (const { port, busPort } of nodes.slice(1)) {
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort));
  }
  const ids = await Promise.all(nodes.map(({ admin }) => admin.call('CLUSTER', 'MYID').then(String)));
  for (let index = masters; index < nodes.length; index += 1) {
    const [replica, master] = [nodes[index], ids[index - masters]];
    // Until the gossip has reached it.
    while (
      await replica?.admin.call('CLUSTER', 'REPLICATE', master ?? '').then(
        () => false,
        () => true,
      )
    )
      await delay(50);
  }
}
