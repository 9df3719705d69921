/**
 * What a client's bucket of tokens must say, as far as somebody outside of Redis can know: of a call it is known only
 * between which two times of Redis it ran. So the tokens that are gone are a range, and where both answers are possible
 * neither is demanded.
 */

/** Tokens by which Redis's numbers may differ from these: it keeps three digits, and whole milliseconds. */
const SLACK = 0.05;

/** Redis's time just before and just after a call, milliseconds. */
export interface Between {
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** A bucket with as many tokens as a second has. */
export class BucketModel {
  readonly #perSecond: number;
  /** The least and the most tokens that may be gone, as of these times. */
  #least = { gone: 0, atMs: 0 };
  #most = { gone: 0, atMs: 0 };

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Returns whether a token was left for a call; undefined = it is not known. */
  hasToken({ beforeMs, afterMs }: Between): boolean | undefined {
    if (this.#goneAt(this.#most, beforeMs) + 1 <= this.#perSecond - SLACK) return true;
    return this.#goneAt(this.#least, afterMs) + 1 > this.#perSecond + SLACK ? false : undefined;
  }

  /** A call has taken a token. */
  take({ beforeMs, afterMs }: Between): void {
    const least = this.#goneAt(this.#least, afterMs) + 1;
    const most = this.#goneAt(this.#most, beforeMs) + 1;
    this.#least = { gone: least, atMs: beforeMs };
    this.#most = { gone: Math.min(most, this.#perSecond), atMs: afterMs };
  }

  /** The bucket is full again. */
  fill(): void {
    this.#least = { gone: 0, atMs: 0 };
    this.#most = { gone: 0, atMs: 0 };
  }

  #goneAt({ gone, atMs }: { readonly gone: number; readonly atMs: number }, nowMs: number): number {
    return Math.max(0, gone - (Math.max(0, nowMs - atMs) * this.#perSecond) / 1000);
  }
}
