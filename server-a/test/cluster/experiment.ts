import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startBalancer } from '../../dev/services/balancer.js';
import { Consumer } from '../faults/consumer.js';
import { Gateway } from '../faults/gateway.js';
import type { Ledger } from '../faults/ledger.js';
import { Senders } from '../faults/senders.js';
import type { ClusterEvent, Scene } from './events.js';
import { addressesFor, countOf, type Nodes, untilWhole } from './world.js';

/** What one experiment showed. */
export interface Row {
  readonly event: string;
  readonly messages: number;
  readonly requests: number;
  readonly accepted: number;
  /** Answers that said that the message is certainly not accepted, and that nobody knows. */
  readonly refused: number;
  readonly unknown: number;
  readonly distinctQueued: number;
  readonly messagesQueued: number;
  readonly missing: number;
  readonly keysWithTwoIds: number;
  /** Counters minus distinct tracking ids queued. */
  readonly drift: number;
  readonly slowestMs: number;
  /** Longest stretch without a 202, and longest stretch of one client without one. */
  readonly withoutServiceMs: number;
  readonly clientWithoutServiceMs: number;
  /** Milliseconds from the healing to /readyz 200 on every gateway. */
  readonly readyMs: number;
  readonly violations: readonly string[];
}

const GATEWAYS = 3;
/** Clients on different slots, and so on different masters. */
const CLIENTS = 12;
const SENDERS_EACH = 2;
const REST_MS = 20;
const BEFORE_MS = 2000;
const AFTER_MS = 2000;
const ANSWER_LIMIT_MS = 3000;
const READY_LIMIT_MS = 15_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Loads three gateways behind HAProxy, lets something happen, and compares what was answered with what is there. */
export async function runExperiment(nodes: Nodes, events: readonly ClusterEvent[]): Promise<Row> {
  const run = randomBytes(4).toString('hex');
  const clients = Array.from({ length: CLIENTS }, (_, index) => `client-${run}-${index}-key`);
  const outboundQueue = `cluster.${run}`;
  const prefix = `quota-${run}`;
  const kind = events[0]?.redis ?? 'cluster';
  const variables = {
    LOG_LEVEL: 'warn',
    ...addressesFor(kind, nodes),
    RABBITMQ_OUTBOUND_QUEUE: outboundQueue,
    RABBITMQ_HEARTBEAT_QUEUE: `${outboundQueue}.heartbeat`,
    QUOTA_PREFIX: prefix,
    SHUTDOWN_DELAY_MS: '1500',
    TRACKING_ID_SECRET: 'a secret of the experiments',
    // No key's epoch ends within an experiment: Redis forgets in some of them.
    IDEMPOTENCY_TTL_SECONDS: '31536000',
    CLIENT_CONFIG: JSON.stringify(
      Object.fromEntries(
        clients.map((key, index) => [key, { name: `client ${index}`, is_active: true, daily_quota: 1e9 }]),
      ),
    ),
    PROVIDERS_CONFIG: '{"Provider-A":{"is_active":true,"is_operational":true}}',
  };
  const gateways = await Promise.all(Array.from({ length: GATEWAYS }, () => Gateway.start(variables)));
  const balancer = await startBalancer(
    'haproxy',
    join(nodes.dataDir, `balancer-${run}`),
    gateways.map(({ port }) => port),
  );
  const consumer = new Consumer(
    nodes.rabbitmq.nodes.map(({ url }) => url),
    outboundQueue,
  );
  const service = new Service();
  const services = clients.map(() => new Service());
  const senders = clients.map(
    (apiKey, index) =>
      new Senders({
        apiKey,
        ports: () => [balancer.port],
        senders: SENDERS_EACH,
        restMs: REST_MS,
        keyed: true,
        onAccepted: () => {
          service.accepted();
          services[index]?.accepted();
        },
      }),
  );
  const scene: Scene = { nodes, gateways, outboundQueue, clients };

  await pause(BEFORE_MS);
  for (const one of [service, ...services]) one.begin();
  await Promise.all(events.map((event) => event.make(scene)));
  await pause(Math.max(...events.map(({ lastsMs }) => lastsMs)));
  for (const event of events) await event.heal(scene);
  const ready = await Promise.all(
    gateways.map((gateway) => gateway.untilReady(60_000).catch(() => Number.POSITIVE_INFINITY)),
  );
  await pause(AFTER_MS);
  for (const one of [service, ...services]) one.end();
  await Promise.all(senders.map((one) => one.stop()));
  await untilWhole(nodes);
  await consumer.untilDrained();
  const codes = await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')));
  await consumer.untilDrained();
  await consumer.stop();
  await balancer.stop();

  const row = {
    event: events.map(({ name }) => name).join(' + '),
    ...(await compare(
      senders.map(({ ledger }) => ledger),
      consumer,
      await countOf(`${prefix}:*`, kind, nodes),
    )),
    withoutServiceMs: service.longestMs,
    clientWithoutServiceMs: Math.max(...services.map(({ longestMs }) => longestMs)),
    readyMs: Math.max(...ready),
  };
  const unforeseen = gateways.flatMap((gateway) => gateway.unforeseen);
  return {
    ...row,
    violations: [
      ...violationsOf(row, events),
      ...codes.filter((code) => code !== 0).map((code) => `a gateway ended with ${code}`),
      ...unforeseen,
    ],
  };
}

/** Measures the longest stretch without a 202. */
class Service {
  longestMs = 0;
  #last: number | undefined;

  begin(): void {
    this.#last = performance.now();
  }

  accepted(): void {
    if (this.#last === undefined) return;
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#last);
    this.#last = now;
  }

  end(): void {
    this.accepted();
    this.#last = undefined;
  }
}

type Compared = Omit<Row, 'event' | 'withoutServiceMs' | 'clientWithoutServiceMs' | 'readyMs' | 'violations'>;

async function compare(ledgers: readonly Ledger[], consumer: Consumer, counted: number): Promise<Compared> {
  const sum = (of: (ledger: Ledger) => number): number =>
    ledgers.reduce((total, ledger) => total + of(ledger), 0);
  const queuedByMessage = new Map<string, string[]>();
  for (const [id, text] of consumer.texts)
    queuedByMessage.set(text, [...(queuedByMessage.get(text) ?? []), id]);
  let missing = 0;
  let keysWithTwoIds = 0;
  for (const ledger of ledgers) {
    for (const ids of ledger.accepted.values())
      for (const id of ids) if (!consumer.deliveries.has(id)) missing += 1;
    for (const message of ledger.begun) {
      const ids = [...(ledger.ids.get(message) ?? []), ...(queuedByMessage.get(message) ?? [])];
      if (new Set(ids).size > 1) keysWithTwoIds += 1;
    }
  }
  const unknown = sum((ledger) => ledger.unknown + ledger.unanswered);
  return {
    messages: sum((ledger) => ledger.messages),
    requests: sum((ledger) => ledger.attempts),
    accepted: sum((ledger) => ledger.accepted.size),
    refused: sum((ledger) => (ledger.statuses.get(500) ?? 0) - ledger.unknown),
    unknown,
    distinctQueued: consumer.deliveries.size,
    messagesQueued: [...consumer.deliveries.values()].reduce((total, count) => total + count, 0),
    missing,
    keysWithTwoIds,
    drift: counted - consumer.deliveries.size,
    slowestMs: Math.max(...ledgers.map(({ slowestMs }) => slowestMs)),
  };
}

function violationsOf(row: Omit<Row, 'violations'>, events: readonly ClusterEvent[]): string[] {
  const found: string[] = [];
  const must = (holds: boolean, what: string): void => void (holds || found.push(what));
  must(row.missing === 0, `${row.missing} accepted messages are missing`);
  must(row.keysWithTwoIds === 0, `${row.keysWithTwoIds} keys have two tracking ids`);
  must(row.slowestMs <= ANSWER_LIMIT_MS, `the slowest answer took ${Math.round(row.slowestMs)} ms`);
  must(row.readyMs <= READY_LIMIT_MS, `ready only after ${Math.round(row.readyMs)} ms`);
  must(row.accepted === row.messages, 'a message has no decision');
  const mayLose = events.some(({ losesWrites }) => losesWrites === true);
  must(mayLose ? row.drift <= 0 : row.drift === 0, `the quota drifted by ${row.drift}`);
  if (events.every(({ notAcceptedPerMille }) => notAcceptedPerMille !== undefined)) {
    const allowed = Math.max(...events.map(({ notAcceptedPerMille = 0 }) => notAcceptedPerMille));
    const notAccepted = row.requests - row.accepted;
    must(
      notAccepted <= (row.requests * allowed) / 1000,
      `${notAccepted} of ${row.requests} answers were not 202`,
    );
  }
  return found;
}
