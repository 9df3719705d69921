/** Takes away from a failing history what it does not need to fail. */
import type { HistoryReport, Pool } from './pool.js';

/** Histories run for one shrinking at the most. */
const MOST_RUNS = 600;

/** Returns the same failure with as few injected failures and senders as can be found (delta debugging). */
export async function shrink(pool: Pool, failed: HistoryReport): Promise<HistoryReport> {
  const wanted = new Set(failed.violations.map(({ check }) => check));
  let runs = 0;
  let best = failed;
  const failsWith = async (only: readonly string[]): Promise<HistoryReport | undefined> => {
    if (runs >= MOST_RUNS) return undefined;
    runs += 1;
    const report = await pool.run({ seed: failed.seed, only });
    return report.violations.some(({ check }) => wanted.has(check)) ? report : undefined;
  };
  let ids = failed.made.map(({ id }) => id);
  for (let parts = 2; ids.length > 0; ) {
    const size = Math.max(1, Math.floor(ids.length / parts));
    const candidates: string[][] = [];
    for (let at = 0; at < ids.length; at += size)
      candidates.push(ids.filter((_, n) => n < at || n >= at + size));
    const found = (await Promise.all(candidates.map(failsWith))).find((report) => report !== undefined);
    if (found !== undefined) {
      best = found;
      // What was not reached in the shorter history goes too.
      ids = found.made.map(({ id }) => id);
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(ids.length, 2 * parts);
    if (runs >= MOST_RUNS) break;
  }
  return pool.run({ seed: failed.seed, only: best.made.map(({ id }) => id), keepTrace: true });
}
