/** Slices of load, laid between each other, and what they say. */
import { type LoadResult, quantile, runLoad } from './load.js';
import type { RequestKind } from './requests.js';
import type { Garbage, Target } from './target.js';
import { processUs } from './threads.js';

/** What is loaded, with what. */
export interface Variant {
  readonly target: Target;
  readonly kind: RequestKind;
  readonly connections: number;
  /** Requests a second; undefined = as fast as answers come. */
  readonly ratePerSecond?: number;
  /** Milliseconds at the beginning of each slice whose latencies are not kept. */
  readonly warmUpMs?: number;
}

/** One slice of one variant. */
export interface Slice {
  /** Server CPU, user and system, microseconds per answered request; of all threads, and of some. */
  readonly cpuUs: number;
  readonly mainUs: number;
  readonly v8Us: number;
  readonly otherUs: number;
  /** CPU of the services for each request; 0 where they are not watched. */
  readonly redisUs: number;
  readonly rabbitmqUs: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMiB: number;
}

/** Milliseconds at the beginning of a slice, in which all connections are new: for experiments that compare latencies. */
export const WARM_UP_MS = 500;

let runs = 0;

/**
 * Loads a variant for a while.
 *
 * @param take is given all latencies, milliseconds
 * @throws when an answer has another status than the kind's: it would measure something else
 */
export async function slice(
  variant: Variant,
  durationMs: number,
  take?: (latencies: Float64Array) => void,
): Promise<Slice> {
  const { target, kind, connections, ratePerSecond, warmUpMs = 0 } = variant;
  await target.emptyQueue();
  runs += 1;
  const run = `${process.pid.toString(36)}-${Date.now().toString(36)}-${runs}`;
  const look = () => ({
    server: target.times(),
    redis: processUs(target.services?.redis.pid),
    rabbitmq: processUs(target.services?.rabbitmq.pid),
  });
  const before = look();
  const load: LoadResult = await runLoad({
    port: target.port,
    connections,
    durationMs,
    warmUpMs,
    request: kind.request(run),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  });
  const after = look();
  const each = (end: number, begin: number): number => (end - begin) / load.answered;
  for (const [status, count] of load.byStatus) {
    if (status !== kind.status)
      throw new Error(`${target.name}, ${kind.name}: ${count} answers with ${status}`);
  }
  take?.(load.latencies);
  return {
    cpuUs: each(after.server.all, before.server.all),
    mainUs: each(after.server.main, before.server.main),
    v8Us: each(after.server.v8, before.server.v8),
    otherUs: each(after.server.other, before.server.other),
    redisUs: each(after.redis, before.redis),
    rabbitmqUs: each(after.rabbitmq, before.rabbitmq),
    perSecond: load.answered / load.seconds,
    seconds: load.seconds,
    p50Ms: quantile(load.latencies, 0.5),
    p99Ms: quantile(load.latencies, 0.99),
    p999Ms: quantile(load.latencies, 0.999),
    rssMiB: target.rssBytes() / 2 ** 20,
  };
}

/** What the garbage collector does for one answered request. */
export interface GarbagePerRequest {
  readonly allocatedBytes: number;
  readonly survivedBytes: number;
  readonly promotedBytes: number;
  readonly pauseUs: number;
  readonly scavengesPerSecond: number;
}

/** Loads a variant, whose server runs with PROBED, for a while. */
export async function garbage(variant: Variant, durationMs: number): Promise<GarbagePerRequest> {
  let requests = 0;
  const sums: Garbage = await variant.target.garbageOf(async () => {
    const { perSecond, seconds } = await slice(variant, durationMs);
    requests = perSecond * seconds;
  });
  return {
    allocatedBytes: sums.allocated / requests,
    survivedBytes: sums.survived / requests,
    promotedBytes: sums.promoted / requests,
    pauseUs: sums.pauseUs / requests,
    scavengesPerSecond: (sums.scavenges * 1000) / durationMs,
  };
}

/**
 * Loads all variants in turn, in a new random order each round, so that a slow spell of the machine hits them alike. A
 * first round warms up and is not kept.
 *
 * @param progress is told after each slice
 * @param take is given the latencies of each slice that is kept, and its variant's place in the list
 */
export async function interleave(
  variants: readonly Variant[],
  rounds: number,
  sliceMs: number,
  progress: (text: string) => void,
  take?: (index: number, latencies: Float64Array) => void,
): Promise<Slice[][]> {
  const slices: Slice[][] = variants.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    const order = variants.map((variant, index) => ({ variant, index, rank: Math.random() }));
    for (const { variant, index } of order.sort((a, b) => a.rank - b.rank)) {
      const measured = await slice(variant, sliceMs, (latencies) => {
        if (round > 0) take?.(index, latencies);
      });
      if (round > 0) slices[index]?.push(measured);
      const what = `${variant.target.name}, ${variant.kind.name}`;
      progress(
        `${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}  ${what.padEnd(44)} ${measured.cpuUs.toFixed(1)} µs`,
      );
    }
  }
  return slices;
}

/** Median, least and greatest; and between which bounds the median lies with 95 % certainty. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly low: number;
  readonly high: number;
}

/** Returns the value below which the given part (0 to 1) of sorted values lies. */
export function quantileOf(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Sums up one figure of many slices. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => quantileOf(sorted, part);
  // By the ranks of the values (sign test), so it holds whatever their distribution is.
  const half = Math.min(0.98 / Math.sqrt(Math.max(1, sorted.length)), 0.5);
  return { median: at(0.5), min: at(0), max: at(1), low: at(0.5 - half), high: at(0.5 + half) };
}

/** Ratios of two variants' slices of the same rounds. */
export function ratio(one: readonly Slice[], other: readonly Slice[], of: (slice: Slice) => number): Spread {
  return spread(
    one.flatMap((slice, round) => {
      const beside = other[round];
      return beside === undefined ? [] : [of(slice) / of(beside)];
    }),
  );
}
