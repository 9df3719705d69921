import { randomBytes } from 'node:crypto';
import test from 'ava';
import pino from 'pino';
import { createMetrics } from '../../src/metrics.js';
import { RabbitMqLink } from '../../src/rabbitmq/connect.js';
import { Publisher } from '../../src/rabbitmq/publisher.js';
import { connectRedis } from '../../src/redis/connect.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

/** Each takes longer than the one before, up to 2 s: a connection that ends soon after its start is tried again with a pause. */
const RECONNECTS = 8;

/** Timers and sockets that keep this process alive, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

test('links: 8 reconnects of both -> no listener, timer or socket is left over', async (t) => {
  t.timeout(120_000);
  const warnings: string[] = [];
  process.on('warning', ({ message }) => warnings.push(message));
  const redisSide = await startTcpProxy(REDIS_URL);
  const rabbitSide = await startTcpProxy(RABBITMQ_URL);
  const log = pino({ level: 'silent' });
  const redis = connectRedis(redisSide.url, {}, 1000, log);
  const queue = `reconnects.${randomBytes(4).toString('hex')}`;
  const rabbitmq = new RabbitMqLink({
    urls: rabbitSide.url,
    tls: {},
    topology: { outboundQueue: queue, heartbeatQueue: `${queue}.heartbeat`, queueType: 'classic' },
    log,
  });
  t.teardown(async () => {
    await rabbitmq.close();
    await redis.close();
    await Promise.all([redisSide.close(), rabbitSide.close()]);
  });
  let connections = 0;
  const publisher = new Publisher(rabbitmq, createMetrics(), 1000, 10);
  publisher.start(() => {
    connections += 1;
  });
  const bothUp = (): Promise<unknown> =>
    waitFor('both links are up', () => redis.usable && rabbitmq.unusable === undefined);
  await bothUp();
  await waitFor('the first connection', () => connections === 1);
  const before = resources();
  for (let n = 0; n < RECONNECTS; n += 1) {
    const seen = connections;
    redisSide.cut();
    rabbitSide.cut();
    await waitFor('connected again', () => connections > seen);
    await bothUp();
  }
  await redis.checkWrite();
  await rabbitmq.ping(2000);
  await waitFor('resources are as before', () => {
    const now = resources();
    return Object.keys(now).every((kind) => (now[kind] ?? 0) <= (before[kind] ?? 0) + 1);
  });
  t.deepEqual(warnings, []);
  t.true(connections > RECONNECTS);
});
