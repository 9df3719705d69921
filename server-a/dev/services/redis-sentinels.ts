import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findFreePort } from './free-port.js';
import type { ManagedServer } from './managed-server.js';
import { answersPing, startRedisServer } from './redis-server.js';
import { ServiceProcess } from './service-process.js';

/** Private Redis nodes, one of them master, and sentinels that watch them. */
export interface RedisSentinels {
  readonly nodes: readonly ManagedServer[];
  readonly sentinels: readonly ServiceProcess[];
  /** Value of REDIS_URL: the sentinels. */
  readonly url: string;
  /** Value of REDIS_SENTINEL_MASTER. */
  readonly master: string;
  /** Returns the node that the sentinels name. */
  masterNode(): Promise<ManagedServer>;
  /** Has the sentinels make another node master. */
  failOver(): Promise<void>;
  kill(): Promise<void>;
}

const MASTER = 'gateway';
/** Milliseconds of silence after which a master counts as gone. */
const DOWN_AFTER_MS = 1500;

/**
 * Starts three Redis (append-only file, no eviction) and three sentinels on 127.0.0.1, and resolves when the sentinels
 * know each other and both replicas.
 *
 * @param dataDir directory for logs and data; made if missing, never removed
 */
export async function startRedisSentinels(dataDir: string): Promise<RedisSentinels> {
  const nodes: ManagedServer[] = [];
  for (let index = 0; index < 3; index += 1) {
    const [master] = nodes;
    nodes.push(
      await startRedisServer({
        dataDir: join(dataDir, `node-${index}`),
        appendOnly: true,
        extraArgs: [
          ...['--repl-diskless-sync-delay', '0'],
          ...(master === undefined ? [] : ['--replicaof', '127.0.0.1', String(master.port)]),
        ],
      }),
    );
  }
  const ports = await Promise.all(Array.from({ length: 3 }, () => findFreePort()));
  const sentinels = await Promise.all(ports.map((port) => sentinelOf(dataDir, port, nodes[0]?.port ?? 0)));
  const kill = async (): Promise<void> => {
    await Promise.all([...nodes, ...sentinels].map((server) => server.kill()));
  };
  try {
    await Promise.all(sentinels.map((sentinel) => sentinel.start()));
    await untilComplete(ports);
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    nodes,
    sentinels,
    url: ports.map((port) => `redis://127.0.0.1:${port}`).join(','),
    master: MASTER,
    masterNode: async () => {
      const port = await onAnyOf(ports, async (client) => {
        const found: unknown = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER);
        return Array.isArray(found) ? Number(found[1]) : 0;
      });
      const node = nodes.find((server) => server.port === port);
      if (node === undefined) throw new Error(`no node at port ${port}`);
      return node;
    },
    failOver: async () =>
      void (await onAnyOf(ports, (client) => client.call('SENTINEL', 'FAILOVER', MASTER))),
    kill,
  };
}

function sentinelOf(dataDir: string, port: number, masterPort: number): Promise<ServiceProcess> {
  return sentinelProcess(join(dataDir, `sentinel-${port}`), port, [
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER} 6000`,
  ]);
}

/**
 * Returns a sentinel on 127.0.0.1, not started yet.
 *
 * @param directory where its configuration and its log are written
 * @param settings lines of its configuration, besides address and directory
 */
export async function sentinelProcess(
  directory: string,
  port: number,
  settings: readonly string[],
): Promise<ServiceProcess> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, 'sentinel.conf');
  const lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${directory}`, ...settings, ''];
  await writeFile(config, lines.join('\n'));
  return new ServiceProcess({
    name: 'Redis Sentinel',
    port,
    command: 'redis-server',
    args: [config, '--sentinel'],
    env: process.env,
    logFile: join(directory, 'sentinel.log'),
    probe: () => answersPing(port),
    readyWithinMs: 20_000,
    stopWithinMs: 5000,
  });
}

async function untilComplete(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    for (let attempt = 0; ; attempt += 1) {
      const line = await onAnyOf([port], (client) => client.info('sentinel'));
      if (line.includes('status=ok,') && line.includes('slaves=2,sentinels=3')) break;
      if (attempt === 300) throw new Error(`The sentinels are not complete: ${line}`);
      await delay(100);
    }
  }
}

/** Asks one sentinel after the other, until one answers. */
async function onAnyOf<T>(ports: readonly number[], ask: (client: Redis) => Promise<T>): Promise<T> {
  let problem: unknown;
  for (const port of ports) {
    const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null, commandTimeout: 2000 });
    client.on('error', () => {});
    try {
      return await ask(client);
    } catch (error) {
      problem = error;
    } finally {
      client.disconnect();
    }
  }
  throw problem;
}
