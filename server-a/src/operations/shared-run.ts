/** Milliseconds between two runs. */
export interface RunPause {
  readonly least: number;
  readonly most: number;
}

const PAUSE_MS: RunPause = { least: 250, most: 5000 };
/** A pause is this many times as long as the run before it. */
const PAUSE_PER_RUN = 50;

/**
 * Some work for many who ask at once: one run serves all who asked before it began, and runs keep a distance, so that
 * the work takes a bounded share of the process however many ask, and however often. Whoever asks is given the result of
 * a run that begins after the question.
 */
export class SharedRun<T> {
  readonly #work: () => Promise<T>;
  readonly #pauseMs: RunPause;
  /** The run that has not begun. */
  #next: Promise<T> | undefined;
  /** Resolves when a run may begin. */
  #pause: Promise<void> = Promise.resolve();

  constructor(work: () => Promise<T>, pauseMs = PAUSE_MS) {
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
    const startedAt = performance.now();
    let end = (): void => {};
    this.#pause = new Promise((resolve) => {
      end = resolve;
    });
    try {
      return await this.#work();
    } finally {
      const tookMs = performance.now() - startedAt;
      setTimeout(end, Math.min(Math.max(PAUSE_PER_RUN * tookMs, this.#pauseMs.least), this.#pauseMs.most));
    }
  }
}
