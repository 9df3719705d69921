/** Wall-clock time as text, made at most once a millisecond. */

let cachedMs = 0;
let cachedIso = '';

/** Returns the time now in ISO 8601, UTC, with milliseconds. */
export function isoNow(): string {
  const now = Date.now();
  if (now !== cachedMs) {
    cachedMs = now;
    cachedIso = new Date(now).toISOString();
  }
  return cachedIso;
}

/** The time now as a UTC day (`YYYY-MM-DD`) and the whole seconds left of it (at least 1). */
export interface UtcDay {
  readonly day: string;
  readonly secondsLeft: number;
}

const DAY_MS = 86_400_000;
let cachedDay = '';
let cachedDayEndsMs = 0;

/** Returns the current UTC day: quotas are counted by it. */
export function utcDay(nowMs = Date.now()): UtcDay {
  if (nowMs >= cachedDayEndsMs || nowMs < cachedDayEndsMs - DAY_MS) {
    cachedDayEndsMs = nowMs - (nowMs % DAY_MS) + DAY_MS;
    cachedDay = new Date(nowMs).toISOString().slice(0, 10);
  }
  return { day: cachedDay, secondsLeft: Math.ceil((cachedDayEndsMs - nowMs) / 1000) };
}
