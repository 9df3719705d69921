import { Redis } from 'ioredis';
import { type PrivateServices, startPrivateServices } from '../../dev/services/private-services.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import type { Gateway } from './gateway.js';
import type { Senders } from './senders.js';

/** The services of an experiment, and the network between them and the gateways. */
export interface Services extends PrivateServices {
  /** What the gateways connect to instead of the services themselves. */
  readonly redisProxy: TcpProxy;
  readonly rabbitmqProxy: TcpProxy;
  /** Straight to Redis, past the proxy. */
  readonly redisAdmin: Redis;
}

/** What of the gateways' configuration is changed; the rest stays. */
export interface ConfigChange {
  readonly providersOn?: boolean;
  /** Units a day of the keyed client. */
  readonly keyedQuota?: number;
}

/** Everything that a fault may lay hands on. */
export interface World extends Services {
  readonly gateways: readonly Gateway[];
  readonly outboundQueue: string;
  readonly senders: readonly Senders[];
  /** Changes the configuration of every gateway, and has it read anew. */
  readonly configure: (change: ConfigChange) => Promise<void>;
  /** Waits until every accepted message has been taken from the queue. */
  readonly untilDrained: () => Promise<void>;
}

/** Starts a Redis that keeps its data in an append-only file, a RabbitMQ, and a proxy before each. */
export async function startServices(): Promise<Services> {
  const services = await startPrivateServices({ appendOnly: true });
  const { redis, rabbitmq } = services;
  const [redisProxy, rabbitmqProxy] = await Promise.all([
    startTcpProxy(redis.url),
    startTcpProxy(rabbitmq.url),
  ]);
  const redisAdmin = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
  redisAdmin.on('error', () => {});
  return {
    ...services,
    redisProxy,
    rabbitmqProxy,
    redisAdmin,
    stop: async () => {
      redisAdmin.disconnect();
      await Promise.all([redisProxy.close(), rabbitmqProxy.close()]);
      await services.stop();
    },
  };
}
