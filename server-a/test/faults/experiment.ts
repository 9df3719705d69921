import { randomBytes } from 'node:crypto';
import { Consumer } from './consumer.js';
import type { Fault } from './faults.js';
import { GatewayProcess } from './gateway-process.js';
import { type Ledger, Senders } from './senders.js';
import type { Services, World } from './world.js';

/** How hard, and how long. */
export interface Intensity {
  readonly keyedSenders: number;
  readonly unkeyedSenders: number;
  readonly restMs: number;
  /** Milliseconds before the fault, of the fault, and after it healed. */
  readonly beforeMs: number;
  readonly faultMs: number;
  readonly afterMs: number;
}

/** What one experiment showed. */
export interface Row {
  readonly fault: string;
  readonly keyed: Ledger;
  readonly unkeyed: Ledger;
  /** Distinct tracking ids, and messages, that came out of the queue. */
  readonly distinctQueued: number;
  readonly messagesQueued: number;
  /** Accepted (202) and not in the queue. */
  readonly missing: number;
  /** Keys that two tracking ids were told for, or queued under. */
  readonly keysWithTwoIds: number;
  /** Counter minus distinct tracking ids queued, for keyed and unkeyed senders. */
  readonly keyedDrift: number;
  readonly unkeyedDrift: number;
  readonly slowestMs: number;
  /** Milliseconds from the healing to /readyz 200 on every gateway. */
  readonly readyMs: number;
  /** Messages of senders that hung up before their answer. */
  readonly hungUp: number;
  /** Growth of the largest gateway's resident memory, MiB. */
  readonly grownMiB: number;
  readonly healthzFailures: number;
  readonly unforeseen: readonly string[];
  /** What must not be; empty = the experiment passed. */
  readonly violations: readonly string[];
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds within which every answer must come while something is broken. */
const ANSWER_LIMIT_MS = 3000;
/** Milliseconds within which a gateway must be ready again once its services are back. */
const READY_LIMIT_MS = 10_000;
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
  const client = (of: string) => ({ name: of, is_active: true, daily_quota: DAILY_QUOTA });
  const env = {
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    REDIS_URL: `redis://127.0.0.1:${services.redisProxy.port}/0`,
    RABBITMQ_URL: `amqp://guest:guest@127.0.0.1:${services.rabbitmqProxy.port}/`,
    RABBITMQ_OUTBOUND_QUEUE: outboundQueue,
    RABBITMQ_HEARTBEAT_QUEUE: `${outboundQueue}.heartbeat`,
    QUOTA_PREFIX: prefix,
    CLIENT_CONFIG: JSON.stringify({
      [keys.keyed]: client('keyed'),
      [keys.unkeyed]: client('unkeyed'),
      [keys.hangUp]: client('hang-up'),
    }),
    PROVIDERS_CONFIG: '{"Provider-A":{"is_active":true,"is_operational":true}}',
  };
  const gateways: GatewayProcess[] = [];
  for (let index = 0; index < Math.max(...faults.map((fault) => fault.gateways ?? 1)); index += 1) {
    const aheadMs = index === 0 ? Math.max(...faults.map((fault) => fault.clockAheadMs ?? 0)) : 0;
    gateways.push(await GatewayProcess.start({ ...env, CLOCK_AHEAD_MS: String(aheadMs) }));
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
    ...violationsOf(row, lostUnits, intensity),
    ...codes.filter((code) => code !== 0).map((code) => `a gateway ended with ${code}`),
  ];
  return { ...row, violations };
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

type Measured = Pick<Row, 'readyMs' | 'grownMiB' | 'healthzFailures' | 'unforeseen'>;

function compare(
  fault: string,
  keyed: Ledger,
  unkeyed: Ledger,
  consumer: Consumer,
  [keyedCount = 0, unkeyedCount = 0]: readonly number[],
  measured: Measured,
): Omit<Row, 'violations'> {
  const queuedByMessage = new Map<string, Set<string>>();
  for (const [id, text] of consumer.texts) {
    const ids = queuedByMessage.get(text) ?? new Set();
    queuedByMessage.set(text, ids.add(id));
  }
  let missing = 0;
  for (const ledger of [keyed, unkeyed]) {
    for (const ids of ledger.accepted.values())
      for (const id of ids) if (!consumer.deliveries.has(id)) missing += 1;
  }
  let keysWithTwoIds = 0;
  for (const [message, told] of keyed.ids) {
    if (new Set([...told, ...(queuedByMessage.get(message) ?? [])]).size > 1) keysWithTwoIds += 1;
  }
  const keyedMessages = new Set(keyed.ids.keys());
  const unkeyedDistinct = [...consumer.texts.values()].filter(
    (text) => !keyedMessages.has(text) && text !== 'hung up',
  ).length;
  const keyedDistinct = [...consumer.texts.values()].filter((text) => keyedMessages.has(text)).length;
  return {
    fault,
    keyed,
    unkeyed,
    distinctQueued: consumer.deliveries.size,
    messagesQueued: [...consumer.deliveries.values()].reduce((sum, count) => sum + count, 0),
    missing,
    keysWithTwoIds,
    keyedDrift: keyedCount - keyedDistinct,
    unkeyedDrift: unkeyedCount - unkeyedDistinct,
    hungUp: [...consumer.texts.values()].filter((text) => text === 'hung up').length,
    slowestMs: Math.max(keyed.slowestMs, unkeyed.slowestMs),
    ...measured,
  };
}

/**
 * Units that may stay counted without a message, see docs/reliability.md: those of unkeyed requests in flight at each kill
 * of a gateway. (With a key, the retry goes on with the unit of the dead attempt.)
 */
function lostUnitsAllowed(faults: readonly Fault[], { unkeyedSenders, faultMs }: Intensity): number {
  return faults.some((fault) => fault.killsGateway === true) ? unkeyedSenders * Math.ceil(faultMs / 700) : 0;
}

function violationsOf(row: Omit<Row, 'violations'>, lostUnits: number, intensity: Intensity): string[] {
  const inFlight = intensity.keyedSenders + intensity.unkeyedSenders;
  const found: string[] = [];
  // What strikes again and again leaves unknown outcomes again and again.
  const strikes = Math.ceil(intensity.faultMs / 300);
  const must = (holds: boolean, what: string): void => void (holds || found.push(what));
  must(row.missing === 0, `${row.missing} accepted messages are missing`);
  must(row.keysWithTwoIds === 0, `${row.keysWithTwoIds} keys have two tracking ids`);
  must(row.keyedDrift === 0, `the keyed quota drifted by ${row.keyedDrift}`);
  // Without a key nobody asks again: the unit of an unknown outcome is kept, whether the message arrived or not.
  const unknown = row.unkeyed.unknown + row.unkeyed.unanswered;
  must(
    row.unkeyedDrift >= 0 && row.unkeyedDrift <= lostUnits + unknown,
    `the unkeyed quota drifted by ${row.unkeyedDrift} (${unknown} unknown outcomes)`,
  );
  const unanswered = row.distinctQueued - row.keyed.accepted.size - row.unkeyed.accepted.size - row.hungUp;
  must(unanswered <= inFlight * strikes, `${unanswered} messages are queued that no 202 was given for`);
  must(row.slowestMs <= ANSWER_LIMIT_MS, `the slowest answer took ${Math.round(row.slowestMs)} ms`);
  must(row.readyMs <= READY_LIMIT_MS, `ready only after ${Math.round(row.readyMs)} ms`);
  must(row.grownMiB < 60, `memory grew by ${Math.round(row.grownMiB)} MiB`);
  must(row.healthzFailures === 0, `/healthz failed ${row.healthzFailures} times`);
  must(row.unforeseen.length === 0, `unforeseen: ${row.unforeseen[0]?.slice(0, 300)}`);
  must(row.keyed.accepted.size + row.keyed.refused === row.keyed.messages, 'a keyed message has no decision');
  must(row.keyed.accepted.size > 0, 'nothing was accepted');
  return found;
}

/** Asks every running gateway's /healthz, again and again. */
function watchHealth(gateways: readonly GatewayProcess[], silenced: boolean) {
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
