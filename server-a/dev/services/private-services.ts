import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armDeadMansSwitch } from './dead-mans-switch.js';
import type { ManagedServer } from './managed-server.js';
import { type RabbitMqServer, startRabbitMqServer } from './rabbitmq-server.js';
import { type RedisServerOptions, startRedisServer } from './redis-server.js';

/** A Redis and a RabbitMQ of nobody else. */
export interface PrivateServices {
  readonly redis: ManagedServer;
  readonly rabbitmq: RabbitMqServer;
  /** Deletes what Redis keeps on disk; Redis must not run. */
  emptyRedisDisk(): Promise<void>;
  /** Ends both at once and removes their data. */
  stop(): Promise<void>;
}

/**
 * Starts a private Redis and a private RabbitMQ on free ports of 127.0.0.1, with their data in a new temporary folder, so
 * any number of these can run at once. Servers and data are gone when this process ends, however it ends.
 *
 * @throws Error when one of them does not start; the other is ended then
 */
export async function startPrivateServices(
  redisOptions: Pick<RedisServerOptions, 'appendOnly'> = {},
): Promise<PrivateServices> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sms-gateway-'));
  // The pause lets the servers' own switches end them first, or they could write while their folder goes.
  const cleanUp = await armDeadMansSwitch('sleep 1; rm -rf -- "$1"', [dataDir]);
  const starting = [
    startRedisServer({ ...redisOptions, dataDir: join(dataDir, 'redis') }),
    startRabbitMqServer({ dataDir: join(dataDir, 'rabbitmq') }),
  ] as const;
  const stop = async (): Promise<void> => {
    const started = await Promise.allSettled(starting);
    await Promise.all(started.map((server) => server.status === 'fulfilled' && server.value.kill()));
    await rm(dataDir, { recursive: true, force: true });
    cleanUp.disarm();
  };
  try {
    const [redis, rabbitmq] = await Promise.all(starting);
    const appendOnlyFiles = join(dataDir, 'redis', 'appendonlydir');
    return {
      redis,
      rabbitmq,
      emptyRedisDisk: () => rm(appendOnlyFiles, { recursive: true, force: true }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
