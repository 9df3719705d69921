/**
 * The benchmark: `make bench`.
 *
 *     tsx bench/run.ts [--quick] [--only comparison,cheaper,layers,profile,latency,soak,scale]
 *
 * Starts a private Redis and RabbitMQ, the built gateway and the floor, and loads them in interleaved slices. Prints each
 * slice as it goes, then a table; writes bench-results/latest.json.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startRabbitMqServer } from '../dev/services/rabbitmq-server.js';
import { startRedisServer } from '../dev/services/redis-server.js';
import { type Bench, EXPERIMENTS } from './experiments.js';
import { CONFIGURATION } from './requests.js';
import { Target } from './target.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
  });
  const chosen = values.only?.split(',');
  const dataDir = await mkdtemp(join(tmpdir(), 'sms-gateway-bench-'));
  const [redis, rabbitmq] = await Promise.all([
    startRedisServer({ dataDir: join(dataDir, 'redis') }),
    startRabbitMqServer({ dataDir: join(dataDir, 'rabbitmq') }),
  ]);
  let targets = 0;
  const envFor = (): Record<string, string> => {
    targets += 1;
    return {
      ...CONFIGURATION,
      REDIS_URL: redis.url,
      RABBITMQ_URL: rabbitmq.url,
      RABBITMQ_OUTBOUND_QUEUE: `bench.${targets}`,
      RABBITMQ_HEARTBEAT_QUEUE: `bench.${targets}.heartbeat`,
    };
  };
  const bench: Bench = {
    redis,
    rounds: values.quick ? 3 : 9,
    sliceMs: values.quick ? 1500 : 3000,
    quick: values.quick,
    progress: (text) => void process.stderr.write(`${text}\n`),
    gateway: (env = {}, nodeArgs = []) =>
      Target.start('gateway', [...nodeArgs, here('../dist/main.js')], { ...envFor(), ...env }, '/readyz'),
    floor: () => Target.start('floor', ['--import=tsx', here('floor.ts')], envFor(), undefined),
    without: (layer) =>
      Target.start(
        `without ${layer}`,
        ['--import=tsx', here('without.ts')],
        { ...envFor(), BENCH_WITHOUT: layer },
        '/readyz',
      ),
  };
  const results: Record<string, unknown> = {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    at: new Date().toISOString(),
  };
  try {
    for (const [name, experiment] of Object.entries(EXPERIMENTS)) {
      if (chosen !== undefined && !chosen.includes(name)) continue;
      const { table, figures } = await experiment(bench);
      process.stdout.write(`\n${table}\n`);
      results[name] = figures;
    }
  } finally {
    await Promise.all([redis.kill(), rabbitmq.kill()]);
    await rm(dataDir, { recursive: true, force: true });
  }
  await mkdir(here('../bench-results'), { recursive: true });
  await writeFile(here('../bench-results/latest.json'), `${JSON.stringify(results, null, 2)}\n`);
}

await main();
