/** A quantile of the latencies of many slices, in two ways, and how two variants' compare. */
import { quantile } from './load.js';
import { spread } from './measure.js';
import { fixed } from './table.js';

/** Latencies by round, each sorted. */
export type Rounds = readonly Float64Array[];

/** How one figure is made of many slices. */
export type Estimate = (slices: Rounds) => number;

/** Returns how to take the value below which the given part (0 to 1) of all latencies lies: stalls of one slice count. */
export const pooled =
  (part: number): Estimate =>
  (slices) => {
    const all = new Float64Array(slices.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const one of slices) {
      all.set(one, at);
      at += one.length;
    }
    return quantile(all.sort(), part);
  };

/** Returns how to take the median of the slices' own quantiles: stalls of less than half of the slices do not count. */
export const typical =
  (part: number): Estimate =>
  (slices) =>
    spread(slices.map((one) => quantile(one, part))).median;

/** A ratio, and between which bounds it lies with 95 % certainty. */
interface BoundRatio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** A ratio as text. */
export const ratioInWords = ({ ratio, low, high }: BoundRatio): string =>
  `${fixed(ratio, 2)} (${fixed(low, 2)}–${fixed(high, 2)})`;

/** Times that a ratio is made anew from rounds drawn at random. */
const DRAWS = 400;

/**
 * Returns the ratio of two variants' figures, and between which bounds it lies with 95 % certainty. They are by bootstrap
 * over the rounds: stalls come in bursts, so rounds are independent, and latencies are not.
 */
export function ratioOf(one: Rounds, other: Rounds, of: Estimate): BoundRatio {
  const among = (rounds: readonly number[]): number => {
    const [mine, others] = [one, other].map((slices) => of(rounds.flatMap((round) => slices[round] ?? [])));
    return (mine ?? Number.NaN) / (others ?? Number.NaN);
  };
  const rounds = [...one.keys()];
  const draws = Float64Array.from({ length: DRAWS }, () =>
    among(rounds.map(() => Math.floor(Math.random() * rounds.length))),
  ).sort();
  return { ratio: among(rounds), low: quantile(draws, 0.025), high: quantile(draws, 0.975) };
}
