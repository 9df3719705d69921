import type { Writable } from 'node:stream';

/**
 * Writes pages to scrapers: in each turn of the event loop one piece, however many scrapers there are and however fast they
 * read. While the system takes a piece, the requests of that turn wait.
 */
export class PageSender {
  /** Writes the next piece of each answer that can take one, first come, first served. */
  readonly #writes: (() => void)[] = [];

  /** Writes the pieces to an answer, and ends it. */
  send(pieces: readonly Buffer[], answer: Writable): void {
    let written = 0;
    const write = (): void => {
      if (answer.destroyed) return;
      const piece = pieces[written];
      written += 1;
      if (piece === undefined) answer.end();
      else if (answer.write(piece)) this.#enqueue(write);
      else answer.once('drain', () => this.#enqueue(write));
    };
    this.#enqueue(write);
  }

  #enqueue(write: () => void): void {
    this.#writes.push(write);
    if (this.#writes.length === 1) setImmediate(this.#writeNext);
  }

  readonly #writeNext = (): void => {
    // Still in its place, so that what it asks for itself waits for the next turn.
    this.#writes[0]?.();
    this.#writes.shift();
    if (this.#writes.length > 0) setImmediate(this.#writeNext);
  };
}
