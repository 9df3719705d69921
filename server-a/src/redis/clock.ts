/** Milliseconds between two looks at Redis's clock. */
const SYNCHRONISE_EVERY_MS = 15_000;

/**
 * Estimates what time it is at Redis, so that a script can be told until when it may take effect.
 *
 * A call that timed out here may still lie in the socket of a frozen Redis and run when Redis thaws, long after its
 * request was answered. Told its deadline in Redis's own time, such a call does nothing. The estimate is an offset to the
 * monotonic clock: a jump of the gateway's wall clock has no effect.
 */
export class RedisClock {
  readonly #ask: () => Promise<number>;
  #offsetMs: number | undefined;
  #synchronisedAt = 0;
  #asking: Promise<void> | undefined;

  /** @param ask asks Redis for its time, milliseconds; rejects where Redis gives no answer */
  constructor(ask: () => Promise<number>) {
    this.#ask = ask;
  }

  /** True once Redis has told its time. */
  get known(): boolean {
    return this.#offsetMs !== undefined;
  }

  /** Returns the estimated time at Redis, milliseconds; undefined while Redis has not told its time. */
  now(): number | undefined {
    const now = performance.now();
    if (now - this.#synchronisedAt > SYNCHRONISE_EVERY_MS || this.#offsetMs === undefined) {
      void this.synchronise();
    }
    return this.#offsetMs === undefined ? undefined : now + this.#offsetMs;
  }

  /**
   * Takes a time that Redis has just told (milliseconds). Counted from the moment of its arrival, the estimate is behind
   * Redis by the reply's way and never ahead: a deadline that was ahead would let a call take effect that was given up.
   */
  correct(redisNowMs: number): void {
    this.#synchronisedAt = performance.now();
    this.#offsetMs = redisNowMs - this.#synchronisedAt;
  }

  /** Forgets the estimate: the next connection may lead to another Redis, with another clock. */
  forget(): void {
    this.#offsetMs = undefined;
  }

  /** Asks Redis for its time, once at a time; without an answer the old estimate stays. Never rejects. */
  synchronise(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    try {
      this.correct(await this.#ask());
    } catch {
      // The next look at the clock asks again, and so does the next connection.
    }
  }
}
