import type { Redis } from 'ioredis';
import type { Life } from './model.js';

/** When a key ends, by performance.now(): not before the one, not after the other. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** Milliseconds that Redis's clock and performance.now() may drift apart over a run; the lives are further apart. */
const SLACK_MS = 1000;

/** Knows when each key must end, as closely as the time that the calls took allows, and holds Redis to it. */
export class Lifespans {
  readonly #redis: Redis;
  readonly #spans = new Map<string, Span>();

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Notes the lives that a call gave. @param before when the call was made, by performance.now() */
  note(before: number, lives: ReadonlyMap<string, Life>): void {
    const after = performance.now();
    for (const [key, life] of lives) {
      const ms = 'set' in life ? life.set : life.atLeast;
      const old = 'set' in life ? undefined : this.#spans.get(key);
      this.#spans.set(key, {
        from: Math.max(before + ms, old?.from ?? 0),
        to: Math.max(after + ms, old?.to ?? 0),
      });
    }
  }

  /** Forgets all keys but these. */
  keepOnly(existing: readonly string[]): void {
    for (const key of this.#spans.keys()) if (!existing.includes(key)) this.#spans.delete(key);
  }

  /** Returns what is wrong with the expiry of the keys that exist; a key without an expiry is wrong. */
  async faults(): Promise<string[]> {
    const before = performance.now();
    const spans = [...this.#spans];
    const left = await Promise.all(spans.map(([key]) => this.#redis.pttl(key)));
    const after = performance.now();
    return spans.flatMap(([key, { from, to }], n) => {
      const leftMs = left[n] ?? Number.NaN;
      if (leftMs >= from - after - SLACK_MS && leftMs <= to - before + SLACK_MS) return [];
      return `${key} ends in ${leftMs} ms, not in ${Math.round(from - after)} to ${Math.round(to - before)}`;
    });
  }
}
