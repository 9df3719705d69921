/**
 * A wait that ends in time: settled by whoever comes first, the reply or the limit. It carries its own place in the list
 * of {@link ReplyDeadlines}, so that beginning and ending one allocates nothing that outlives it.
 */
export abstract class Wait {
  /** Used by {@link ReplyDeadlines} alone. */
  dueAt = 0;
  /** Used by {@link ReplyDeadlines} alone. */
  previous: Wait | undefined;
  /** Used by {@link ReplyDeadlines} alone. */
  next: Wait | undefined;
  /** Used by {@link ReplyDeadlines} alone: the timer of a wait that is shorter than the others. */
  timer: NodeJS.Timeout | undefined;

  /** The limit has passed and the wait was not ended before; runs once at the most. */
  abstract expire(): void;
}

/**
 * Ends waits of one length with one timer for all of them. A shorter wait has a timer of its own.
 *
 * A wait that is due is expired one turn of the event loop later: after a stalled turn (a long garbage collection, a
 * suspended process) timers run before sockets are read, and a reply that lies there in time must count as in time.
 */
export class ReplyDeadlines {
  readonly #limitMs: number;
  /** Ends of the list, which is in order of due times because all of its waits have the same length. */
  #first: Wait | undefined;
  #last: Wait | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs length of a wait, milliseconds */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Begins a wait. @param limitMs its length, milliseconds, where that is shorter than the others' */
  begin(wait: Wait, limitMs = this.#limitMs): void {
    if (limitMs < this.#limitMs) {
      wait.timer = setTimeout(() => {
        setImmediate(() => {
          if (wait.timer === undefined) return;
          wait.timer = undefined;
          wait.expire();
        });
      }, limitMs);
      return;
    }
    wait.dueAt = performance.now() + this.#limitMs;
    wait.previous = this.#last;
    if (this.#last === undefined) this.#first = wait;
    else this.#last.next = wait;
    this.#last = wait;
    if (this.#timer === undefined) this.#sweepAfter(this.#limitMs);
  }

  /** Ends a wait; it will not expire. Harmless for one that has ended. */
  end(wait: Wait): void {
    if (wait.timer !== undefined) {
      clearTimeout(wait.timer);
      wait.timer = undefined;
      return;
    }
    const { previous, next } = wait;
    if (previous !== undefined) previous.next = next;
    else if (this.#first === wait) this.#first = next;
    else return;
    if (next !== undefined) next.previous = previous;
    else this.#last = previous;
    wait.previous = undefined;
    wait.next = undefined;
  }

  #sweepAfter(ms: number): void {
    this.#timer = setTimeout(this.#sweep, ms);
    // A process that has nothing else to do has nobody to answer.
    this.#timer.unref();
  }

  readonly #sweep = (): void => {
    // Once through the poll phase (replies are read there), then look who is still waiting.
    setImmediate(() => {
      const now = performance.now();
      let first = this.#first;
      while (first !== undefined && first.dueAt <= now) {
        this.end(first);
        first.expire();
        first = this.#first;
      }
      if (first === undefined) this.#timer = undefined;
      else this.#sweepAfter(Math.ceil(first.dueAt - now));
    });
  };
}
