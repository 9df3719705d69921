import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { ManagedServer } from '../../dev/services/managed-server.js';
import { type RabbitMqServer, startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { startRedisServer } from '../../dev/services/redis-server.js';
import type { GatewayProcess } from './gateway-process.js';
import type { Senders } from './senders.js';
import { TcpProxy } from './tcp-proxy.js';

/** The services of an experiment, and the network between them and the gateways. */
export interface Services {
  readonly redis: ManagedServer;
  readonly rabbitmq: RabbitMqServer;
  /** What the gateways connect to instead of the services themselves. */
  readonly redisProxy: TcpProxy;
  readonly rabbitmqProxy: TcpProxy;
  /** Straight to Redis, past the proxy. */
  readonly redisAdmin: Redis;
  stop(): Promise<void>;
}

/** Everything that a fault may lay hands on. */
export interface World extends Services {
  readonly gateways: readonly GatewayProcess[];
  readonly outboundQueue: string;
  readonly senders: readonly Senders[];
  /** Waits until every accepted message has been taken from the queue. */
  readonly untilDrained: () => Promise<void>;
}

/** Starts a Redis that keeps its data in an append-only file, a RabbitMQ, and a proxy before each. */
export async function startServices(): Promise<Services> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sms-gateway-faults-'));
  const [redis, rabbitmq] = await Promise.all([
    startRedisServer({ dataDir: join(dataDir, 'redis'), appendOnly: true }),
    startRabbitMqServer({ dataDir: join(dataDir, 'rabbitmq') }),
  ]);
  const [redisProxy, rabbitmqProxy] = await Promise.all([
    TcpProxy.start(redis.port),
    TcpProxy.start(rabbitmq.port),
  ]);
  const redisAdmin = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
  redisAdmin.on('error', () => {});
  return {
    redis,
    rabbitmq,
    redisProxy,
    rabbitmqProxy,
    redisAdmin,
    stop: async () => {
      redisAdmin.disconnect();
      redisProxy.stop();
      rabbitmqProxy.stop();
      await Promise.all([redis.kill(), rabbitmq.kill()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
