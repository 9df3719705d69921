/** Server A as a whole: its parts put together, started, and stopped in order. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import type { Config } from './config/load.js';
import type { RegistryHolder } from './config/registry.js';
import { ConfigReload } from './config/reload.js';
import { createHttpServer } from './http-server.js';
import type { Log } from './logging.js';
import { createMetrics, describeRegistry } from './metrics.js';
import { startQuotaGauges } from './operations/quota-gauges.js';
import { PIPELINE, type Pipeline } from './pipeline.js';
import { RabbitMqLink } from './rabbitmq/connect.js';
import { startHeartbeat } from './rabbitmq/heartbeat.js';
import { Publisher } from './rabbitmq/publisher.js';
import { RedisLink } from './redis/connect.js';
import { Scripts } from './redis/scripts.js';
import { Settlement } from './settlement.js';

/** A running Server A. */
export interface Gateway {
  readonly server: Server;
  /** Address that it listens on. */
  readonly address: AddressInfo;
  /** Reads the configuration anew and puts its clients and providers in force, or refuses it; see ConfigReload. */
  readonly reload: () => void;
  /**
   * Ends it in order: not ready, no new connections, requests in flight answered, confirms awaited, broker and Redis
   * closed. Resolves when all is done; the caller limits the time.
   */
  readonly stop: () => Promise<void>;
}

/** What may differ from the usual gateway. */
export interface GatewayOptions {
  /** Reads the configuration for a reload; the default is the one of the start, for ever. */
  readonly readConfig?: () => Config;
  readonly pipeline?: Pipeline;
}

/**
 * Starts Server A. Does not wait for Redis or RabbitMQ: it listens at once, and is ready when they are.
 *
 * @throws when the address cannot be listened on
 */
export async function startGateway(
  config: Config,
  log: Log,
  { readConfig = () => config, pipeline = PIPELINE }: GatewayOptions = {},
): Promise<Gateway> {
  const { env, registry: initial, redisTls, rabbitmqTls } = config;
  const registry: RegistryHolder = { current: initial };
  const metrics = createMetrics();
  describeRegistry(metrics, initial);
  const redis = new RedisLink(env.REDIS_URL, redisTls, env.REDIS_TIMEOUT_MS, log);
  const rabbitmq = new RabbitMqLink({
    url: env.RABBITMQ_URL,
    tls: rabbitmqTls,
    topology: {
      outboundQueue: env.RABBITMQ_OUTBOUND_QUEUE,
      heartbeatQueue: env.RABBITMQ_HEARTBEAT_QUEUE,
      queueType: env.RABBITMQ_QUEUE_TYPE,
    },
    log,
  });
  const publisher = new Publisher(rabbitmq, metrics, env.PUBLISH_TIMEOUT_MS, env.MAX_IN_FLIGHT);
  const settlement = new Settlement(log);
  const heartbeat = startHeartbeat({
    publisher,
    registry,
    metrics,
    log,
    queue: env.RABBITMQ_HEARTBEAT_QUEUE,
    serviceName: env.SERVICE_NAME,
    intervalSeconds: env.HEARTBEAT_INTERVAL_SECONDS,
  });
  const quotaGauges = startQuotaGauges({ registry, redis, metrics, prefix: env.QUOTA_PREFIX });
  redis.onReady(quotaGauges.refreshNow);
  const configReload = new ConfigReload({
    started: config,
    read: readConfig,
    registry,
    metrics,
    log,
    onChange: () => {
      heartbeat.beatNow();
      quotaGauges.refreshNow();
    },
  });
  let stopping = false;
  const parts = {
    env,
    registry,
    scripts: new Scripts(redis),
    settlement,
    publisher,
    metrics,
    log,
    redis,
    rabbitmq,
    shuttingDown: () => stopping,
  };
  const server = createHttpServer(createApp(parts, pipeline).callback());
  await publisher.start(heartbeat.beatNow);
  const address = await listen(server, env.SERVER_A_HOST, env.SERVER_A_PORT);

  return {
    server,
    address,
    reload: () => {
      if (!stopping) configReload.reload('signal');
    },
    stop: async () => {
      stopping = true;
      configReload.stop();
      quotaGauges.stop();
      heartbeat.stop();
      await closeServer(server);
      await publisher.drain();
      settlement.close();
      await rabbitmq.close();
      await redis.close();
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not listening on a port'));
      else resolve(address);
    });
  });
}

/** Stops accepting and waits for the requests in flight; connections are closed as they fall idle. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // A connection that was busy a moment ago falls idle after close() has looked.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    server.once('close', () => clearInterval(sweep));
  });
}
