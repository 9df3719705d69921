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

/** A UTC day. */
export interface UtcDay {
  /** `YYYY-MM-DD` */
  readonly day: string;
  /** Its first millisecond, and the first of the next day: milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
}

const DAY_MS = 86_400_000;
let cachedDay: UtcDay = { day: '', startMs: 0, endMs: 0 };

/** Returns the UTC day of a time (milliseconds since 1970): quotas are counted by it. */
export function utcDay(nowMs: number): UtcDay {
  if (nowMs >= cachedDay.endMs || nowMs < cachedDay.startMs) {
    const startMs = nowMs - (nowMs % DAY_MS);
    const day = new Date(nowMs).toISOString().slice(0, 10);
    cachedDay = { day, startMs, endMs: startMs + DAY_MS };
  }
  return cachedDay;
}

/** Whole seconds from a time to the end of its UTC day; at least 1. */
export function secondsLeftOfDay(nowMs: number): number {
  return Math.ceil((utcDay(nowMs).endMs - nowMs) / 1000);
}
