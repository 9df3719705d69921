/** Writes to Redis that must still be made after their request was answered: tried again until Redis is back. */
import type { Log } from './logging.js';

/** Milliseconds between two tries. */
const RETRY_MS = 200;
/** Milliseconds after which a write is given up: by then its claim has long been taken over. */
const GIVE_UP_MS = 60_000;
/** Writes that may wait at once; beyond it they are given up at once, so that an outage cannot fill the memory. */
const MAX_WAITING = 20_000;

/** What a write is, for the log. */
export type SettlementKind = 'store' | 'release' | 'refund';

/** Makes the writes, and remembers those that Redis did not take. */
export class Settlement {
  readonly #log: Log;
  #waiting = 0;
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Makes a write: resolves when it is made, or when its first try has failed and it goes on in the background. Never
   * rejects.
   *
   * @param write the write; it must do no harm when it runs twice
   * @param done is told the result, whenever it comes
   */
  async settle<T>(
    kind: SettlementKind,
    write: () => Promise<T>,
    done: (result: T) => void = () => {},
  ): Promise<void> {
    try {
      done(await write());
    } catch (err) {
      this.retryLater(kind, write, err, done);
    }
  }

  /** Goes on with a write whose first try failed, in the background; see {@link settle}. */
  retryLater<T>(
    kind: SettlementKind,
    write: () => Promise<T>,
    err: unknown,
    done: (result: T) => void = () => {},
  ): void {
    if (this.#mayRetry()) void this.#retry(kind, write, done);
    else this.#log.error({ kind, err }, 'settlement.failed');
  }

  /** Stops trying again. */
  close(): void {
    this.#closed = true;
  }

  async #retry<T>(kind: SettlementKind, write: () => Promise<T>, done: (result: T) => void): Promise<void> {
    this.#waiting += 1;
    try {
      const giveUpAt = performance.now() + GIVE_UP_MS;
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
        try {
          done(await write());
          return;
        } catch (err) {
          if (performance.now() < giveUpAt && this.#mayRetry()) continue;
          this.#log.error({ kind, err }, 'settlement.failed');
          return;
        }
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  #mayRetry(): boolean {
    return !this.#closed && this.#waiting < MAX_WAITING;
  }
}
