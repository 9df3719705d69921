/** Milliseconds after a run in which none begins, where its result does not ask for more. */
export const LEAST_PAUSE_MS = 250;

/**
 * Some work for many who ask at once: one run serves all who asked before it began, and runs keep a distance, so that
 * the work takes a bounded share of the process however many ask, and however often. Whoever asks is given the result of
 * a run that begins after the question.
 */
export class SharedRun<T> {
  readonly #work: () => Promise<T>;
  readonly #pauseMs: (result: T) => number;
  /** The run that has not begun. */
  #next: Promise<T> | undefined;
  /** Resolves when a run may begin. */
  #pause: Promise<void> = Promise.resolve();

  /**
   * @param pauseMs returns the milliseconds after a run, by its result, in which none begins. Not by the time that it took:
   *   where the process has stood still, that says nothing of the work
   */
  constructor(work: () => Promise<T>, pauseMs: (result: T) => number = () => LEAST_PAUSE_MS) {
    this.#work = work;
    this.#pauseMs = pauseMs;
  }

  /** Returns the result of the next run. @throws what the work throws */
  ask(): Promise<T> {
    this.#next ??= this.#run(this.#pause);
    return this.#next;
  }

  async #run(pause: Promise<void>): Promise<T> {
    await pause;
    this.#next = undefined;
    let end = (): void => {};
    this.#pause = new Promise((resolve) => {
      end = resolve;
    });
    let pauseMs = LEAST_PAUSE_MS;
    try {
      const result = await this.#work();
      pauseMs = this.#pauseMs(result);
      return result;
    } finally {
      setTimeout(end, pauseMs);
    }
  }
}
