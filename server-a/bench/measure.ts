/** Slices of load, laid between each other, and what they say. */
import { type LoadResult, quantile, runLoad } from './load.js';
import type { RequestKind } from './requests.js';
import type { Target } from './target.js';

/** What is loaded, with what. */
export interface Variant {
  readonly target: Target;
  readonly kind: RequestKind;
  readonly connections: number;
  /** Requests a second; undefined = as fast as answers come. */
  readonly ratePerSecond?: number;
}

/** One slice of one variant. */
export interface Slice {
  /** Server CPU, user and system, microseconds per answered request. */
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMiB: number;
}

let runs = 0;

/** Loads a variant for a while. @throws when an answer has another status than the kind's: it would measure something else */
export async function slice(variant: Variant, durationMs: number): Promise<Slice> {
  const { target, kind, connections, ratePerSecond } = variant;
  runs += 1;
  const run = `${process.pid.toString(36)}-${Date.now().toString(36)}-${runs}`;
  const before = target.cpuUs();
  const load: LoadResult = await runLoad({
    port: target.port,
    connections,
    durationMs,
    request: kind.request(run),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  });
  const cpuUs = (target.cpuUs() - before) / load.answered;
  for (const [status, count] of load.byStatus) {
    if (status !== kind.status)
      throw new Error(`${target.name}, ${kind.name}: ${count} answers with ${status}`);
  }
  return {
    cpuUs,
    perSecond: load.answered / load.seconds,
    p50Ms: quantile(load.latencies, 0.5),
    p99Ms: quantile(load.latencies, 0.99),
    p999Ms: quantile(load.latencies, 0.999),
    rssMiB: target.rssBytes() / 2 ** 20,
  };
}

/**
 * Loads all variants in turn, in a new random order each round, so that a slow spell of the machine hits them alike. A
 * first round warms up and is not kept.
 *
 * @param progress is told after each slice
 */
export async function interleave(
  variants: readonly Variant[],
  rounds: number,
  sliceMs: number,
  progress: (text: string) => void,
): Promise<Slice[][]> {
  const slices: Slice[][] = variants.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    const order = variants.map((variant, index) => ({ variant, index, rank: Math.random() }));
    for (const { variant, index } of order.sort((a, b) => a.rank - b.rank)) {
      const measured = await slice(variant, sliceMs);
      if (round > 0) slices[index]?.push(measured);
      const what = `${variant.target.name}, ${variant.kind.name}`;
      progress(
        `${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}  ${what.padEnd(44)} ${measured.cpuUs.toFixed(1)} µs`,
      );
    }
  }
  return slices;
}

/** Median, least and greatest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Sums up one figure of many slices. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { median: at(0.5), min: at(0), max: at(1) };
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
