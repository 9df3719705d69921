import type { DestinationStream } from 'pino';

/** What pino's own destination offers, as far as it is used here. */
export interface Destination {
  write(text: string): unknown;
  /** Begins to write what `write` may have kept back. */
  flush(): void;
  /** Writes out at once what was kept back; what is being written already is not waited for. */
  flushSync(): void;
}

/**
 * Gathers lines and hands them on as one text.
 *
 * pino's destination can gather too (`minLength`), but measures the whole of what it has gathered at each line, and
 * that flattens the text anew: some four kilobytes copied for a line of three hundred bytes.
 */
export class LogBuffer implements DestinationStream {
  readonly #destination: Destination;
  readonly #fullAt: number;
  #text = '';

  /**
   * @param destination must keep back less than `fullAt`: what it has begun to write by itself can be lost with the
   *   process, and {@link LogBuffer.flushSync} would come too late
   * @param fullAt characters at which what was gathered is handed on
   */
  constructor(destination: Destination, fullAt: number) {
    this.#destination = destination;
    this.#fullAt = fullAt;
  }

  /** Takes a line; pino calls this. */
  write(line: string): void {
    this.#text += line;
    if (this.#text.length >= this.#fullAt) this.flush();
  }

  /** Hands on what was gathered. */
  flush(): void {
    if (this.#text === '') return;
    this.#handOn();
    this.#destination.flush();
  }

  /** Hands it on, and waits until it is written out; pino calls this after a fatal line. */
  flushSync(): void {
    // Twice: added to what it still kept back, this could be enough to make it begin to write by itself.
    this.#destination.flushSync();
    this.#handOn();
    this.#destination.flushSync();
  }

  #handOn(): void {
    const text = this.#text;
    this.#text = '';
    this.#destination.write(text);
  }
}
