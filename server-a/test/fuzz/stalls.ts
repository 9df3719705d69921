/** Knows when this process has stood still: then it is late itself, and what it sees says nothing of the gateway. */

/** Milliseconds between two looks at the clock. */
const EVERY_MS = 50;
/** Milliseconds by which a look is so late that this process has stood still: half of what a closed connection lingers. */
const LATE_MS = 500;

/** Looks at the clock all the time. */
export class Stalls {
  #lookedAt = performance.now();
  #lastAt = Number.NEGATIVE_INFINITY;
  readonly #timer = setInterval(() => this.#look(), EVERY_MS);

  /** Returns whether this process has stood still since then, by performance.now(). */
  since(startedAt: number): boolean {
    this.#look();
    return this.#lastAt >= startedAt;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt > EVERY_MS + LATE_MS) this.#lastAt = now;
    this.#lookedAt = now;
  }
}
