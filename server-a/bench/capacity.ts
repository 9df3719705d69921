/**
 * What one accepted, keyed request costs every process on its way, on one RabbitMQ node and on three:
 *
 *     npm run capacity -w server-a
 *
 * The figures of docs/capacity.md are from here.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import type { ManagedServer } from '../dev/services/managed-server.js';
import { startRabbitMqCluster } from '../dev/services/rabbitmq-cluster.js';
import { startRabbitMqServer } from '../dev/services/rabbitmq-server.js';
import { startRedisServer } from '../dev/services/redis-server.js';
import { Consumer } from '../test/faults/consumer.js';
import { runLoad } from './load.js';
import { CONFIGURATION, KEYED } from './requests.js';
import { Target } from './target.js';

/** Microseconds in a tick of /proc's CPU accounting (USER_HZ is 100 on Linux). */
const TICK_US = 10_000;
const QUEUE = 'capacity.outbound';
const CONNECTIONS = 64;
const CEILING_QUEUE = 'capacity.ceiling';
/** Bytes of an envelope with a short text, and messages that wait for a confirm at once. */
const BODY_BYTES = 450;
const IN_FLIGHT = 2000;

/** One run's figures, each for one accepted request. */
interface Figures {
  readonly nodes: number;
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly gatewayUs: number;
  readonly redisUs: number;
  /** Of all nodes together, and of the busiest. */
  readonly rabbitmqUs: number;
  readonly busiestNodeUs: number;
  readonly rabbitmqDiskBytes: number;
  readonly redisMemoryBytes: number;
  readonly redisDiskBytes: number;
  readonly redisNetworkBytes: number;
}

/** CPU and bytes written to disk of a process so far. */
async function usageOf(pid: number): Promise<{ readonly cpuUs: number; readonly writtenBytes: number }> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  const io = await readFile(`/proc/${pid}/io`, 'utf8');
  return {
    // Fields 14 and 15 of the whole line: user and system time.
    cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0),
  };
}

async function infoOf(redis: Redis): Promise<Map<string, number>> {
  const text = await redis.info('all');
  return new Map(text.split('\r\n').map((line) => [line.split(':')[0] ?? '', Number(line.split(':')[1])]));
}

async function measure(
  nodes: readonly ManagedServer[],
  seconds: number,
  rate: number | undefined,
): Promise<Figures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sms-gateway-capacity-'));
  const server = await startRedisServer({ dataDir, appendOnly: true });
  const redis = new Redis(server.url);
  const target = await Target.start('gateway', {
    ...CONFIGURATION,
    REDIS_URL: server.url,
    RABBITMQ_URL: nodes.map(({ url }) => url).join(','),
    RABBITMQ_OUTBOUND_QUEUE: QUEUE,
    RABBITMQ_HEARTBEAT_QUEUE: `${QUEUE}.heartbeat`,
  });
  const consumer = new Consumer(
    nodes.map(({ url }) => url),
    QUEUE,
  );
  const load = (durationMs: number, run: string) =>
    runLoad({
      port: target.port,
      connections: CONNECTIONS,
      durationMs,
      request: KEYED.request(run),
      ...(rate !== undefined && { ratePerSecond: rate }),
    });
  await load(2000, 'warm-up');
  const pids = nodes.flatMap(({ pid }) => pid ?? []);
  const look = async () => ({
    gateway: target.times().all,
    redis: await usageOf(server.pid ?? 0),
    rabbitmq: await Promise.all(pids.map(usageOf)),
    info: await infoOf(redis),
    records: await redis.dbsize(),
    appended: await appendedBytes(dataDir),
  });
  const before = await look();
  const result = await load(seconds * 1000, 'measured');
  const after = await look();
  const count = result.answered;
  const info = (name: string): number => (after.info.get(name) ?? 0) - (before.info.get(name) ?? 0);
  const cpu = after.rabbitmq.map(({ cpuUs }, index) => cpuUs - (before.rabbitmq[index]?.cpuUs ?? 0));
  const disk = after.rabbitmq.map(
    ({ writtenBytes }, index) => writtenBytes - (before.rabbitmq[index]?.writtenBytes ?? 0),
  );
  const figures = {
    nodes: nodes.length,
    perSecond: count / result.seconds,
    p99Ms: result.latencies[Math.floor(result.latencies.length * 0.99)] ?? 0,
    gatewayUs: (after.gateway - before.gateway) / count,
    redisUs: (after.redis.cpuUs - before.redis.cpuUs) / count,
    rabbitmqUs: cpu.reduce((sum, one) => sum + one, 0) / count,
    busiestNodeUs: Math.max(...cpu) / count,
    rabbitmqDiskBytes: disk.reduce((sum, one) => sum + one, 0) / count,
    redisMemoryBytes: info('used_memory') / (after.records - before.records),
    redisDiskBytes: (after.appended - before.appended) / count,
    redisNetworkBytes: (info('total_net_input_bytes') + info('total_net_output_bytes')) / count,
  };
  await consumer.stop();
  await target.stop();
  redis.disconnect();
  await server.kill();
  await rm(dataDir, { recursive: true, force: true });
  return figures;
}

/** Size of the append-only file: of its newest part, which grows. */
async function appendedBytes(dataDir: string): Promise<number> {
  const folder = join(dataDir, 'appendonlydir');
  const { size } = await stat(join(folder, 'appendonly.aof.1.incr.aof'));
  return size;
}

const COLUMNS: readonly { readonly title: string; readonly of: (figures: Figures) => number | string }[] = [
  { title: 'RabbitMQ nodes', of: ({ nodes }) => nodes },
  { title: 'requests a second', of: ({ perSecond }) => Math.round(perSecond) },
  { title: 'p99', of: ({ p99Ms }) => `${p99Ms.toFixed(1)} ms` },
  { title: 'gateway', of: ({ gatewayUs }) => `${Math.round(gatewayUs)} µs` },
  { title: 'Redis', of: ({ redisUs }) => `${Math.round(redisUs)} µs` },
  { title: 'RabbitMQ, all nodes', of: ({ rabbitmqUs }) => `${Math.round(rabbitmqUs)} µs` },
  { title: 'its busiest node', of: ({ busiestNodeUs }) => `${Math.round(busiestNodeUs)} µs` },
  { title: 'RabbitMQ disk, all nodes', of: ({ rabbitmqDiskBytes }) => `${Math.round(rabbitmqDiskBytes)} B` },
  { title: 'Redis memory', of: ({ redisMemoryBytes }) => `${Math.round(redisMemoryBytes)} B` },
  { title: 'Redis disk', of: ({ redisDiskBytes }) => `${Math.round(redisDiskBytes)} B` },
  { title: 'Redis network', of: ({ redisNetworkBytes }) => `${Math.round(redisNetworkBytes)} B` },
];

const asLine = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |\n`;

/** Messages a second that one quorum queue takes and gives, with nothing else at work: no gateway, no Redis. */
async function ceilingOf(nodes: readonly ManagedServer[]): Promise<number> {
  const [first] = nodes;
  const connection = await connect(first?.url ?? '');
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(CEILING_QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  const consumer = await connection.createChannel();
  await consumer.prefetch(500);
  await consumer.consume(CEILING_QUEUE, (message) => message !== null && consumer.ack(message));
  const content = Buffer.alloc(BODY_BYTES, 'x');
  let confirmed = 0;
  let over = false;
  const publish = (): void => {
    channel.publish('', CEILING_QUEUE, content, { persistent: true, mandatory: true }, () => {
      confirmed += 1;
      if (!over) publish();
    });
  };
  for (let n = 0; n < IN_FLIGHT; n += 1) publish();
  await pause(2000);
  const before = confirmed;
  await pause(seconds * 1000);
  const perSecond = (confirmed - before) / seconds;
  over = true;
  await connection.close();
  return perSecond;
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, queue: { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
process.stdout.write(asLine(COLUMNS.map(({ title }) => title)));
process.stdout.write(asLine(COLUMNS.map(() => '---:')));
const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-capacity-'));
const print = (figures: Figures): void =>
  void process.stdout.write(asLine(COLUMNS.map(({ of }) => of(figures))));
const single = await startRabbitMqServer({ dataDir: join(folder, 'one') });
if (!values.queue) for (const rate of [500, undefined]) print(await measure([single], seconds, rate));
const ceilings = [await ceilingOf([single])];
await single.kill();
const cluster = await startRabbitMqCluster({ dataDir: join(folder, 'three') });
if (!values.queue) for (const rate of [500, undefined]) print(await measure(cluster.nodes, seconds, rate));
ceilings.push(await ceilingOf(cluster.nodes));
await cluster.kill();
await rm(folder, { recursive: true, force: true });
process.stdout.write(
  `One quorum queue alone, messages a second: one node ${ceilings.map(Math.round).join(', three nodes ')}\n`,
);
process.exit();
