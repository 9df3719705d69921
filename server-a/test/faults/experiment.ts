/** One experiment: a load, its faults, and what was left of the promises. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Consumer } from './consumer.js';
import type { Fault } from './faults.js';
import { Gateway } from './gateway.js';
import { Senders } from './senders.js';
import { compare, type Intensity, lostUnitsAllowed, type Row, violationsOf } from './verdict.js';
import type { ConfigChange, Services, World } from './world.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const DAILY_QUOTA = 1_000_000_000;

/** Loads gateways, makes faults, lets them heal, and compares what was answered with what is there. */
export async function runExperiment(
  services: Services,
  faults: readonly Fault[],
  intensity: Intensity,
): Promise<Row> {
  const seconds = Math.round(intensity.faultMs / 1000);
  const name = `${faults.map((fault) => fault.name).join(' + ')}${seconds >= 10 ? ` (${seconds} s)` : ''}`;
  const run = randomBytes(4).toString('hex');
  const keys = { keyed: `keyed-${run}-000000`, unkeyed: `unkeyed-${run}-0000`, hangUp: 'hang-up-key-000001' };
  const outboundQueue = `faults.${run}`;
  const prefix = `quota-${run}`;
  const files = await configFiles(keys, Math.min(...faults.map((fault) => fault.keyedQuota ?? DAILY_QUOTA)));
  const env = {
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    REDIS_URL: services.redisProxy.url,
    RABBITMQ_URL: services.rabbitmqProxy.url,
    RABBITMQ_OUTBOUND_QUEUE: outboundQueue,
    RABBITMQ_HEARTBEAT_QUEUE: `${outboundQueue}.heartbeat`,
    QUOTA_PREFIX: prefix,
    ...files.variables,
    TRACKING_ID_SECRET: 'a secret of the experiments',
    // No key's epoch ends within an experiment: Redis forgets in some of them.
    IDEMPOTENCY_TTL_SECONDS: '31536000',
  };
  const gateways: Gateway[] = [];
  for (let index = 0; index < Math.max(...faults.map((fault) => fault.gateways ?? 1)); index += 1) {
    const aheadMs = index === 0 ? Math.max(...faults.map((fault) => fault.clockAheadMs ?? 0)) : 0;
    gateways.push(await Gateway.start({ ...env, CLOCK_AHEAD_MS: String(aheadMs) }));
  }
  const consumer = new Consumer(services.rabbitmq.url, outboundQueue);
  const ports = (): number[] => {
    const running = gateways.filter((gateway) => gateway.running).map((gateway) => gateway.port);
    return running.length > 0 ? running : gateways.map((gateway) => gateway.port);
  };
  const shared = { ports, restMs: intensity.restMs };
  const keyed = new Senders({ ...shared, apiKey: keys.keyed, senders: intensity.keyedSenders, keyed: true });
  const unkeyed = new Senders({
    ...shared,
    apiKey: keys.unkeyed,
    senders: intensity.unkeyedSenders,
    keyed: false,
  });
  const world: World = {
    ...services,
    gateways,
    outboundQueue,
    senders: [keyed, unkeyed],
    untilDrained: () => consumer.untilDrained(),
    configure: async (change) => {
      await files.write(change);
      for (const gateway of gateways) if (gateway.running) gateway.signal('SIGHUP');
    },
  };

  await pause(intensity.beforeMs);
  const residentBefore = gateways.map((gateway) => gateway.residentBytes());
  const health = watchHealth(
    gateways,
    faults.some((fault) => fault.silencesGateway === true),
  );
  const over = new AbortController();
  const making = faults.map((fault) => fault.make(world, over.signal));
  await pause(intensity.faultMs);
  over.abort();
  await Promise.all(making);
  const residentAfter = gateways.map((gateway) => gateway.residentBytes());
  for (const fault of faults) await fault.heal(world);
  const ready = await Promise.all(
    gateways.map((gateway) => gateway.untilReady(60_000).catch(() => Number.POSITIVE_INFINITY)),
  );
  await pause(intensity.afterMs);
  await within(
    60_000,
    'not every keyed message got its decision',
    Promise.all([keyed.stop(), unkeyed.stop()]),
  );
  const healthzFailures = await health.stop();
  await consumer.untilDrained();
  // A held or leased claim, and a refund tried again, may still be on their way to Redis.
  const codes = await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')));
  await consumer.untilDrained();
  await consumer.stop();
  await files.remove();

  const counters = await Promise.all([keys.keyed, keys.unkeyed].map((key) => countOf(services, prefix, key)));
  const row = compare(name, keyed.ledger, unkeyed.ledger, consumer, counters, {
    readyMs: Math.max(...ready),
    grownMiB:
      Math.max(...residentAfter.map((bytes, index) => bytes - (residentBefore[index] ?? 0))) / 2 ** 20,
    healthzFailures,
    unforeseen: gateways.flatMap((gateway) => gateway.unforeseen),
  });
  const lostUnits = lostUnitsAllowed(faults, intensity);
  const violations = [
    ...violationsOf(row, lostUnits, intensity, faults),
    ...codes.filter((code) => code !== 0).map((code) => `a gateway ended with ${code}`),
  ];
  return { ...row, violations };
}

/** Writes the configuration of clients and providers to files, which a fault may change. */
async function configFiles(keys: Readonly<Record<'keyed' | 'unkeyed' | 'hangUp', string>>, quota: number) {
  const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-experiment-'));
  const [clients, providers] = [join(folder, 'clients.json'), join(folder, 'providers.json')];
  const state = { providersOn: true, keyedQuota: quota };
  const client = (name: string, dailyQuota = DAILY_QUOTA) => ({
    name,
    is_active: true,
    daily_quota: dailyQuota,
  });
  const write = async (change: ConfigChange): Promise<void> => {
    Object.assign(state, change);
    const config = {
      [keys.keyed]: client('keyed', state.keyedQuota),
      [keys.unkeyed]: client('unkeyed'),
      [keys.hangUp]: client('hang-up'),
    };
    await writeFile(clients, JSON.stringify(config));
    const provider = { is_active: state.providersOn, is_operational: true };
    await writeFile(providers, JSON.stringify({ 'Provider-A': provider }));
  };
  await write({});
  return {
    variables: { CLIENT_CONFIG_FILE: clients, PROVIDERS_CONFIG_FILE: providers },
    write,
    remove: () => rm(folder, { recursive: true }),
  };
}

/** @throws when the work takes longer: an experiment that hangs has failed */
async function within(limitMs: number, what: string, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), limitMs);
  });
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

async function countOf({ redisAdmin }: Services, prefix: string, apiKey: string): Promise<number> {
  const keys = await redisAdmin.keys(`${prefix}:${apiKey}:*`);
  const counts = await Promise.all(keys.map((key) => redisAdmin.get(key)));
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}

/** Asks every running gateway's /healthz, again and again. */
function watchHealth(gateways: readonly Gateway[], silenced: boolean) {
  let stopped = false;
  let failures = 0;
  const watching = (async () => {
    while (!stopped) {
      await pause(200);
      if (silenced) continue;
      const statuses = await Promise.all(gateways.map((gateway) => gateway.status('/healthz', 2000)));
      failures += statuses.filter((status) => status !== 200).length;
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await watching;
      return failures;
    },
  };
}
