/** Plays script after script, several at a time, and compares what came back with what the gateway says. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Outbox } from '../support/outbox.js';
import { Site } from '../support/site.js';
import { GatewayUnderFuzz } from './gateway-under-fuzz.js';
import { type Played, play } from './play.js';
import { type Script, scriptOf } from './script.js';
import { Stalls } from './stalls.js';

/** Characters of the API keys, which are drawn anew for each run: so all else of its bytes follows from the seed. */
export const KEY_LENGTH = 36;

/** What to play. */
export interface CampaignOptions {
  readonly seed: number;
  /** Requests, or what stands for one, to send at least. */
  readonly inputs: number;
  /** Connections at a time. */
  readonly concurrency?: number;
  /** Connections of a round; after each, what came back is compared with what the gateway says. */
  readonly round?: number;
  /** Number of the only connection to play. */
  readonly only?: number;
  /** Is told how far it is. */
  readonly progress?: (report: Report) => void;
}

/** What came of it. */
export interface Report {
  readonly seed: number;
  inputs: number;
  connections: number;
  /** Answers that came back, by status. */
  readonly answers: Record<string, number>;
  /** Connections that served an honest request behind their inputs. */
  probed: number;
  /** Messages of known requests, each found once in the queue. */
  messages: number;
  slowestMs: number;
  /** Connections that broke while the fuzzer itself stood still. */
  lost: number;
  seconds: number;
  readonly memoryMb: { before: number; after: number };
  readonly descriptors: { before: number; after: number };
  /** What must not be, at most 50. */
  readonly violations: string[];
}

/** Connections between two comparisons with the gateway's metrics and log. */
const ROUND = 16_000;
/** In every fourth round connections are reset: some of its answers reach nobody, so they cannot be compared. */
const RESETS_EVERY = 4;
const MAX_VIOLATIONS = 50;
/** Seconds that keys are remembered: short, so that Redis can be seen to be as before at the end. */
const KEY_SECONDS = 3;
/** Bytes that memory may grow by, after the first tenth has warmed everything up. */
const GROWTH_MB = 64;

/** Plays until enough inputs are sent. Needs the Redis and the RabbitMQ of dev/with-services.ts. */
export async function runCampaign(options: CampaignOptions): Promise<Report> {
  const site = new Site({ clients: { main: {}, off: { is_active: false } } });
  const keys = { active: site.apiKey('main'), inactive: site.apiKey('off') };
  const gateway = await GatewayUnderFuzz.start({
    ...site.variables,
    IDEMPOTENCY_TTL_SECONDS: String(KEY_SECONDS),
  });
  const outbox = await Outbox.open(site.outboundQueue);
  const report: Report = {
    seed: options.seed,
    inputs: 0,
    connections: 0,
    answers: {},
    probed: 0,
    messages: 0,
    slowestMs: 0,
    lost: 0,
    seconds: 0,
    memoryMb: { before: 0, after: 0 },
    descriptors: { before: 0, after: 0 },
    violations: [],
  };
  const violate = (what: string): void => {
    if (report.violations.length < MAX_VIOLATIONS) report.violations.push(what);
  };
  const startedAt = performance.now();
  const stalls = new Stalls();
  const accepted: string[] = [];
  try {
    let told = await gateway.told();
    report.descriptors.before = gateway.descriptors;
    for (let round = 0, number = options.only ?? 0; report.inputs < options.inputs; round += 1) {
      const resets = round % RESETS_EVERY === RESETS_EVERY - 1;
      const [before, lostBefore] = [totalOf(report), report.lost];
      number = await playRound(number, resets);
      if (!gateway.running) break;
      const now = await gateway.told();
      const received = totalOf(report) - before;
      if (!resets && report.lost === lostBefore) {
        for (const [what, total] of [
          ['counted', now.counted - told.counted],
          ['logged', now.logged - told.logged],
        ] as const) {
          if (total !== received)
            violate(`round ${round}: ${received} answers came back, ${total} were ${what}`);
        }
      }
      told = now;
      if (report.memoryMb.before === 0 && report.inputs >= options.inputs / 10)
        report.memoryMb.before = megabytes(gateway);
      report.seconds = Math.round((performance.now() - startedAt) / 1000);
      options.progress?.(report);
      if (options.only !== undefined) break;
    }
    await lookAfterwards();
  } finally {
    stalls.stop();
    if (gateway.running && (await gateway.stop()) !== 0) violate('the gateway did not end with exit code 0');
    for (const complaint of gateway.complaints.slice(0, 5))
      violate(`the gateway complains: ${complaint.slice(0, 600)}`);
    await outbox.close();
    await site.close();
  }
  return report;

  /** Plays connections from this number on; returns the number behind the last. */
  async function playRound(from: number, resets: boolean): Promise<number> {
    let next = from;
    const end = options.only === undefined ? from + (options.round ?? ROUND) : from + 1;
    const worker = async (): Promise<void> => {
      while (next < end && report.inputs < options.inputs) {
        const script = scriptOf(options.seed, next, keys, resets);
        next += 1;
        report.inputs += script.inputs.length;
        report.connections += 1;
        await play(script, gateway.port, stalls).then(
          (played) => take(script, played),
          (error: unknown) => violate(`connection ${script.number}: ${String(error)}`),
        );
      }
    };
    await Promise.all(Array.from({ length: options.concurrency ?? 64 }, worker));
    return next;
  }

  function take(script: Script, played: Played): void {
    for (const { status } of played.answers) report.answers[status] = (report.answers[status] ?? 0) + 1;
    if (played.probed) report.probed += 1;
    report.slowestMs = Math.max(report.slowestMs, Math.round(played.endedMs));
    accepted.push(...played.accepted);
    if (played.lost) report.lost += 1;
    for (const fault of played.faults) {
      violate(`connection ${script.number} (${script.ending}): ${fault}`);
    }
  }

  async function lookAfterwards(): Promise<void> {
    if (!gateway.running) {
      violate('the gateway has ended');
      return;
    }
    await outbox.settled();
    const sent = new Map<unknown, number>();
    for (const { envelope } of outbox.received)
      sent.set(envelope['text'], (sent.get(envelope['text']) ?? 0) + 1);
    for (const text of accepted) {
      if (sent.get(text) !== 1) violate(`"${text}" was accepted, and sent ${sent.get(text) ?? 0} times`);
    }
    report.messages = accepted.length;
    await until(15, async () => gateway.descriptors <= report.descriptors.before);
    report.descriptors.after = gateway.descriptors;
    if (report.descriptors.after > report.descriptors.before) violate('descriptors are left open');
    await until(KEY_SECONDS + 20, async () => (await recordsIn(site.redis, keys.active)) === 0);
    const records = await recordsIn(site.redis, keys.active);
    if (records > 0) violate(`${records} records are left in Redis`);
    report.memoryMb.after = megabytes(gateway);
    const { before, after } = report.memoryMb;
    if (before > 0 && after > before + GROWTH_MB) violate('memory has grown');
  }
}

const totalOf = ({ answers }: Report): number =>
  Object.values(answers).reduce((sum, count) => sum + count, 0);

const megabytes = ({ memory }: GatewayUnderFuzz): number => Math.round(memory / 1024 / 1024);

async function recordsIn(redis: Redis, apiKey: string): Promise<number> {
  return (await redis.keys(`idem:*${apiKey}*`)).length;
}

/** Waits until it is so, or the time is over. */
async function until(seconds: number, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline && !(await isSo())) await delay(200);
}
