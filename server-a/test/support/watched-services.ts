import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelModel, connect } from 'amqplib';
import { findFreePort } from '../../dev/services/free-port.js';
import { startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { REDIS_URL } from './test-services.js';

/** A RabbitMQ whose plugin can be scraped, and an exporter for the Redis of the tests. */
export interface WatchedServices {
  readonly rabbitmqUrl: string;
  /** Address of the plugin, and of the exporter, `host:port`. */
  readonly rabbitmq: string;
  readonly redis: string;
  /** Takes messages from a queue until the end, as Server B does; calling it again adds a consumer. */
  readonly consume: (queue: string) => Promise<ChannelModel>;
  readonly stop: () => Promise<void>;
}

/** Starts both. @throws Error when RabbitMQ or the exporter is not installed */
export async function startWatchedServices(): Promise<WatchedServices> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-watched-'));
  const [pluginPort, exporterPort] = [await findFreePort(), await findFreePort()];
  const rabbitmq = await startRabbitMqServer({
    dataDir: folder,
    plugins: ['rabbitmq_prometheus'],
    extraConfig: ['prometheus.tcp.ip = 127.0.0.1', `prometheus.tcp.port = ${pluginPort}`],
  });
  const exporter = spawn(
    'prometheus-redis-exporter',
    [
      `--redis.addr=${REDIS_URL}`,
      '--include-system-metrics',
      `--web.listen-address=127.0.0.1:${exporterPort}`,
    ],
    { stdio: 'ignore' },
  );
  await once(exporter, 'spawn');
  return {
    rabbitmqUrl: rabbitmq.url,
    rabbitmq: `127.0.0.1:${pluginPort}`,
    redis: `127.0.0.1:${exporterPort}`,
    consume: async (queue) => {
      const model = await connect(rabbitmq.url);
      model.on('error', () => {});
      const channel = await model.createChannel();
      channel.on('error', () => {});
      await channel.prefetch(20);
      await channel.consume(queue, (message) => message && channel.ack(message));
      return model;
    },
    stop: async () => {
      const ended = once(exporter, 'exit');
      exporter.kill();
      await Promise.all([ended, rabbitmq.kill()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
