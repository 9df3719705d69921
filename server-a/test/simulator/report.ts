/** What the simulator prints. */
import type { HistoryReport } from './pool.js';
import type { Figures } from './simulate.js';

/** Returns the figures of a run as text. */
export function describeFigures(
  { histories, virtualMs, requests, messages, failures }: Figures,
  tookMs: number,
): string {
  const sum = [...failures.values()].reduce((total, count) => total + count, 0);
  const rows = [...failures]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${String(count).padStart(9)}  ${kind}`);
  return [
    ...rows,
    '',
    `${histories} histories, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${requests} requests, ` +
      `${messages} messages queued, ${sum} failures injected, in ${Math.round(tookMs / 1000)} s`,
    '',
  ].join('\n');
}

/** Returns a failing history as text: what was wrong, what was injected, every event, and how to see it again. */
export function describeHistory({ seed, violations, made, trace }: HistoryReport): string {
  const ids = made.map(({ id }) => id).join(',');
  return [
    ...trace.map((line) => (line.length > 400 ? `${line.slice(0, 400)}...` : line)),
    '',
    'injected, and who took part:',
    ...made.map(({ id, at, what }) => `${(at / 1000).toFixed(4).padStart(10)}  ${id}: ${what}`),
    '',
    ...violations.map(({ check, what }) => `WRONG (${check}): ${what}`),
    '',
    'again:',
    `  make simulate ARGS='--seed ${seed} --only ${ids}'`,
    '',
  ].join('\n');
}
