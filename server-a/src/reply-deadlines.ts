/** A wait that ends in time: settled by whoever comes first, the reply or the limit. */
export interface Wait {
  /** The limit has passed and the wait was not ended before; may run once. */
  expire(): void;
}

/**
 * Ends waits of one length with one timer for all of them.
 *
 * A wait that is due is expired one turn of the event loop later: after a stalled turn (a long garbage collection, a
 * suspended process) timers run before sockets are read, and a reply that lies there in time must count as in time.
 */
export class ReplyDeadlines {
  readonly #limitMs: number;
  /** In order of their ends, because all have the same length. */
  readonly #waits = new Map<Wait, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs length of every wait, milliseconds */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Begins a wait. */
  begin(wait: Wait): void {
    this.#waits.set(wait, performance.now() + this.#limitMs);
    this.#timer ??= setTimeout(this.#sweep, this.#limitMs);
  }

  /** Ends a wait; it will not expire. */
  end(wait: Wait): void {
    this.#waits.delete(wait);
  }

  readonly #sweep = (): void => {
    // Once through the poll phase (replies are read there), then look who is still waiting.
    setImmediate(() => {
      const now = performance.now();
      let nextDue: number | undefined;
      for (const [wait, due] of this.#waits) {
        if (due > now) {
          nextDue = due;
          break;
        }
        this.#waits.delete(wait);
        wait.expire();
      }
      this.#timer = nextDue === undefined ? undefined : setTimeout(this.#sweep, Math.ceil(nextDue - now));
    });
  };
}
