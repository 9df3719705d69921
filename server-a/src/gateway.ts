/** Server A as a whole: its parts put together, started, and stopped in order. */
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Settlement } from './attempt/settlement.js';
import { REQUEST_LIMIT_MS } from './attempt/time-limits.js';
import { startCertificateGauges, tlsTargets } from './background/certificate-gauges.js';
import { startHeartbeat } from './background/heartbeat.js';
import { startQuotaGauges } from './background/quota-gauges.js';
import { ConfigReload } from './background/reload.js';
import { readBuild } from './build.js';
import type { Config } from './config/load.js';
import type { RegistryHolder } from './config/registry.js';
import { RenewableTls } from './connection/tls-context.js';
import { createListener, createOperationsListener } from './http/app.js';
import { createOperatorsServer, createSendersServer } from './http/server.js';
import type { Log } from './logging/log.js';
import { createMetrics } from './metrics.js';
import { describeProcess, describeRegistry } from './operations/config-metrics.js';
import { RabbitMqLink } from './rabbitmq/connect.js';
import { Publisher } from './rabbitmq/publisher.js';
import { keyNames } from './redis/keys.js';
import { Scripts } from './redis/scripts.js';
import { redisService } from './redis/service.js';

/** A running Server A. */
export interface Gateway {
  /** Address that it listens on. */
  readonly address: AddressInfo;
  /** Address of the operators' routes; undefined = the same. */
  readonly operationsAddress: AddressInfo | undefined;
  /** Reads the configuration anew and puts its clients and providers in force, or refuses it; see ConfigReload. */
  readonly reload: () => void;
  /**
   * Ends it in order: not ready, but serving for SHUTDOWN_DELAY_MS; then no new connections, requests in flight
   * answered, connections ended, confirms awaited, broker and Redis closed. Resolves when all is done, with the number of
   * writes to Redis that were given up; the caller limits the time.
   */
  readonly stop: () => Promise<{ readonly givenUp: number }>;
  /** Logs what will not be written to Redis any more: the process ends at once. */
  readonly cutShort: () => void;
}

/** What may differ from the usual gateway. */
export interface GatewayOptions {
  /** Reads the configuration for a reload; the default is the one of the start, for ever. */
  readonly readConfig?: () => Config;
}

/**
 * Starts Server A. Does not wait for Redis or RabbitMQ: it listens at once, and is ready when they are.
 *
 * @throws when the address cannot be listened on
 */
export async function startGateway(
  config: Config,
  log: Log,
  { readConfig = () => config }: GatewayOptions = {},
): Promise<Gateway> {
  const { env, registry: initial } = config;
  const tls = {
    redis: new RenewableTls(config.redisTls),
    rabbitmq: new RenewableTls(config.rabbitmqTls),
  };
  const registry: RegistryHolder = { current: initial };
  const metrics = createMetrics();
  describeProcess(metrics, env, readBuild());
  describeRegistry(metrics, initial);
  const redis = redisService(config, tls.redis.options, log);
  const rabbitmq = new RabbitMqLink({
    urls: env.RABBITMQ_URL,
    tls: tls.rabbitmq.options,
    topology: {
      outboundQueue: env.RABBITMQ_OUTBOUND_QUEUE,
      heartbeatQueue: env.RABBITMQ_HEARTBEAT_QUEUE,
      queueType: env.RABBITMQ_QUEUE_TYPE,
    },
    log,
  });
  const publisher = new Publisher(rabbitmq, metrics, env.PUBLISH_TIMEOUT_MS, env.MAX_IN_FLIGHT);
  const scripts = new Scripts(redis);
  const settlement = new Settlement(scripts, log);
  const heartbeat = startHeartbeat({
    publisher,
    registry,
    metrics,
    log,
    queue: env.RABBITMQ_HEARTBEAT_QUEUE,
    serviceName: env.SERVICE_NAME,
    intervalSeconds: env.HEARTBEAT_INTERVAL_SECONDS,
  });
  const quotaGauges = startQuotaGauges({
    registry,
    redis,
    metrics,
    names: keyNames(env.REDIS_MODE, env.QUOTA_PREFIX),
  });
  redis.onReady(quotaGauges.refreshNow);
  const certificateGauges = startCertificateGauges(tlsTargets(env, tls), metrics);
  const configReload = new ConfigReload({
    started: config,
    read: readConfig,
    registry,
    tls,
    metrics,
    log,
    onChange: () => {
      heartbeat.beatNow();
      quotaGauges.refreshNow();
      certificateGauges.refreshNow();
    },
  });
  let stopping = false;
  let ending = false;
  const parts = {
    env,
    registry,
    scripts,
    settlement,
    publisher,
    metrics,
    log,
    redis,
    rabbitmq,
    shuttingDown: () => stopping,
  };
  const serverParts = { env, log, metrics, longestRequestMs: REQUEST_LIMIT_MS, ending: () => ending };
  const operations = hasOwnOperationsPort(env)
    ? createOperatorsServer(createOperationsListener(parts), serverParts)
    : undefined;
  const where = operations === undefined ? 'here' : 'elsewhere';
  const server = createSendersServer(createListener(parts, where), serverParts);
  publisher.start(heartbeat.beatNow);
  // The operators' port first: whoever sees the senders' port open finds the other one open as well.
  const operationsAddress = await operations?.listen(env.SERVER_A_HOST, env.OPERATIONS_PORT ?? 0);
  const address = await server.listen(env.SERVER_A_HOST, env.SERVER_A_PORT);

  return {
    address,
    operationsAddress,
    reload: () => {
      if (!stopping) configReload.reload('signal');
    },
    stop: async () => {
      stopping = true;
      configReload.stop();
      if (env.SHUTDOWN_DELAY_MS > 0) await delay(env.SHUTDOWN_DELAY_MS);
      ending = true;
      quotaGauges.stop();
      certificateGauges.stop();
      heartbeat.stop();
      await server.close();
      await publisher.drain();
      await rabbitmq.close();
      // After the broker: a confirm that is still awaited ends with its connection.
      const { givenUp } = await settlement.drain();
      await redis.close();
      // Last: until here the operators see how the shutdown goes.
      operations?.closeAtOnce();
      return { givenUp };
    },
    cutShort: () => settlement.cutShort(),
  };
}

/** True where the operators' routes have a port of their own; 0 is any free port, so two of them differ. */
function hasOwnOperationsPort({ OPERATIONS_PORT, SERVER_A_PORT }: Config['env']): boolean {
  return OPERATIONS_PORT !== undefined && (OPERATIONS_PORT !== SERVER_A_PORT || OPERATIONS_PORT === 0);
}
