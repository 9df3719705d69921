/**
 * The benchmark: `make bench`.
 *
 *     tsx bench/run.ts [--quick] [--rounds N] [--node PROGRAM] [--python PROGRAM] [--against FOLDER]
 *         [--only comparison,against,cheaper,profile,allocations,latency,timeline,soak,scale,scrapers,
 *         batches,start,peer]
 *
 * --rounds   slices of each variant: the more, the narrower a figure's bounds
 * --node     another Node.js that runs the servers; default: the one that runs this
 * --python   a Python with the packages of the peer, which is measured only when --only names it; default: the system's
 * --against  another checkout of this repository, built: measured beside this one, in pairs
 *
 * Starts a private Redis and RabbitMQ, the built gateway and the floor, and loads them in interleaved slices. Prints each
 * slice as it goes, then a table; writes bench-results/latest.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NODE_OPTIONS } from '../dev/services/gateway-process.js';
import { startPrivateServices } from '../dev/services/private-services.js';
import { HOW_SHARED, leaveServerCore } from './cores.js';
import type { Bench } from './experiment.js';
import { EXPERIMENTS, ONLY_BY_NAME } from './experiments.js';
import { DEFAULT_PYTHON, PEER } from './peer.js';
import { CONFIGURATION } from './requests.js';
import { Target } from './target.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const otherBuild = (folder: string): string => resolve(here('../..'), folder, 'server-a/dist/main.js');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      against: { type: 'string' },
      node: { type: 'string' },
      python: { type: 'string', default: DEFAULT_PYTHON },
      rounds: { type: 'string' },
    },
  });
  const chosen = values.only?.split(',');
  leaveServerCore();
  const services = await startPrivateServices();
  const { redis, rabbitmq, stop } = services;
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
  const common = { services, node: values.node };
  const bench: Bench = {
    redis,
    rounds: Number(values.rounds ?? (values.quick ? 5 : 21)),
    sliceMs: values.quick ? 1000 : 2000,
    quick: values.quick,
    progress: (text) => void process.stderr.write(`${text}\n`),
    gateway: (env = {}, nodeArgs = []) =>
      Target.start('gateway', { ...envFor(), ...env }, { ...common, nodeArgs }),
    floor: (nodeArgs = []) =>
      Target.start('floor', envFor(), {
        ...common,
        nodeArgs: ['--import=tsx', ...nodeArgs],
        entryPoint: here('floor.ts'),
        anyAnswer: true,
      }),
    python: values.python,
    peer: () =>
      Target.start(
        'peer',
        // No compiled code beside its source, which may belong to somebody else.
        { ...envFor(), PYTHONDONTWRITEBYTECODE: '1' },
        { services, node: values.python, entryPoint: PEER },
      ),
    other:
      values.against === undefined
        ? undefined
        : (nodeArgs = [], env = {}) =>
            Target.start(
              'other',
              { ...envFor(), ...env },
              {
                ...common,
                nodeArgs: [...NODE_OPTIONS, ...nodeArgs],
                entryPoint: otherBuild(values.against ?? ''),
              },
            ),
  };
  const results: Record<string, unknown> = {
    node: execFileSync(values.node ?? process.execPath, ['--version'], { encoding: 'utf8' }).trim(),
    cores_shared: HOW_SHARED,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    at: new Date().toISOString(),
  };
  process.stdout.write(`${HOW_SHARED}\n`);
  try {
    for (const [name, experiment] of Object.entries(EXPERIMENTS)) {
      if (!(chosen?.includes(name) ?? !ONLY_BY_NAME.has(name))) continue;
      const { table, figures } = await experiment(bench);
      process.stdout.write(`\n${table}\n`);
      results[name] = figures;
    }
  } finally {
    await stop();
  }
  await mkdir(here('../bench-results'), { recursive: true });
  await writeFile(here('../bench-results/latest.json'), `${JSON.stringify(results, null, 2)}\n`);
}

await main();
