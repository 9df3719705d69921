import type { RedisLink } from './connect.js';

/** Milliseconds between two looks at Redis's clock. */
const SYNCHRONISE_EVERY_MS = 15_000;

/**
 * Knows what time it is at Redis, so that a script can be told until when it may take effect.
 *
 * A call that timed out here may still lie in a frozen Redis's socket and run when it thaws, long after its request was
 * answered. Told its deadline in Redis's own time, such a call does nothing. The offset is to the monotonic clock: the
 * gateway's wall clock may jump as it likes.
 */
export class RedisClock {
  readonly #link: RedisLink;
  #offsetMs: number | undefined;
  #synchronisedAt = 0;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** Returns the Redis time in milliseconds at which a call made now has timed out; 0 while it is not known. */
  deadline(): number {
    if (this.#offsetMs === undefined) return 0;
    const now = performance.now();
    if (now - this.#synchronisedAt > SYNCHRONISE_EVERY_MS) {
      this.#synchronisedAt = now;
      void this.synchronise();
    }
    return Math.round(now + this.#offsetMs + this.#link.timeoutMs);
  }

  /** Takes a time that Redis has just told (milliseconds): its clock was set. */
  correct(redisNowMs: number): void {
    this.#offsetMs = redisNowMs - performance.now();
    this.#synchronisedAt = performance.now();
  }

  /** Asks Redis for its time; without an answer the old estimate stays. */
  async synchronise(): Promise<void> {
    const askedAt = performance.now();
    try {
      const redisNowMs = await this.#link.call(
        () => this.#link.redis.time(),
        ([seconds, microseconds]) => Number(seconds) * 1000 + Number(microseconds) / 1000,
      );
      const answeredAt = performance.now();
      this.#offsetMs = redisNowMs - (askedAt + answeredAt) / 2;
      this.#synchronisedAt = answeredAt;
    } catch {
      // Not connected any more: the next connection asks again.
    }
  }
}
