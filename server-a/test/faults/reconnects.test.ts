import { randomBytes } from 'node:crypto';
import test from 'ava';
import pino from 'pino';
import { createMetrics } from '../../src/metrics.js';
import { RabbitMqLink } from '../../src/rabbitmq/connect.js';
import { Publisher } from '../../src/rabbitmq/publisher.js';
import { RedisLink } from '../../src/redis/connect.js';
import { waitFor } from '../support/wait-for.js';
import { TcpProxy } from './tcp-proxy.js';

const RECONNECTS = 50;
const { TEST_REDIS_URL = '', TEST_RABBITMQ_URL = '' } = process.env;

/** Starts a proxy to the port of a URL, and returns the URL through it. */
async function through(url: string): Promise<{ proxy: TcpProxy; url: string }> {
  const target = new URL(url);
  const proxy = await TcpProxy.start(Number(target.port));
  target.port = String(proxy.port);
  return { proxy, url: target.href };
}

/** Timers and sockets that keep this process alive, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

test('links: 50 reconnects of both -> no listener, timer or socket is left over', async (t) => {
  t.timeout(120_000);
  const warnings: string[] = [];
  process.on('warning', ({ message }) => warnings.push(message));
  const redisSide = await through(TEST_REDIS_URL);
  const rabbitSide = await through(TEST_RABBITMQ_URL);
  const log = pino({ level: 'silent' });
  const redis = new RedisLink(redisSide.url, {}, 1000, log);
  const queue = `reconnects.${randomBytes(4).toString('hex')}`;
  const rabbitmq = new RabbitMqLink({
    url: rabbitSide.url,
    tls: {},
    topology: { outboundQueue: queue, heartbeatQueue: `${queue}.heartbeat`, queueType: 'classic' },
    log,
  });
  let connections = 0;
  const publisher = new Publisher(rabbitmq, createMetrics(), 1000, 10);
  await publisher.start(() => {
    connections += 1;
  });
  const bothUp = (): Promise<unknown> =>
    waitFor('both links are up', () => redis.usable && rabbitmq.unusable === undefined);
  await bothUp();
  const before = resources();
  for (let n = 0; n < RECONNECTS; n += 1) {
    const seen = connections;
    redisSide.proxy.set({ kind: 'cut' });
    rabbitSide.proxy.set({ kind: 'cut' });
    redisSide.proxy.set({ kind: 'pass' });
    rabbitSide.proxy.set({ kind: 'pass' });
    await waitFor('connected again', () => connections > seen);
    await bothUp();
  }
  await redis.ping();
  await rabbitmq.ping(2000);
  await waitFor('resources are as before', () => {
    const now = resources();
    return Object.keys(now).every((kind) => (now[kind] ?? 0) <= (before[kind] ?? 0) + 1);
  });
  t.deepEqual(warnings, []);
  t.true(connections > RECONNECTS);
  await rabbitmq.close();
  await redis.close();
  redisSide.proxy.stop();
  rabbitSide.proxy.stop();
});
