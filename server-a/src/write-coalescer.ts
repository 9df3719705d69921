import type { Duplex } from 'node:stream';

/**
 * Lets everything that is written to a socket in one turn of the event loop leave in one system call.
 *
 * Both ioredis and amqplib write each command or message on its own, and under load the system calls are the dearest
 * part of a request. Corked until the turn's end, the commands of all requests that were read in this turn leave
 * together; nothing waits longer than the turn that it was made in.
 */
export class WriteCoalescer {
  readonly #socket: Duplex;
  #held = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Holds the socket's writes until the end of this turn; cheap to call before every write. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#socket.cork();
    // amqplib's multiplexer writes in an immediate that it asks for in the tick after the publish, and the publish comes
    // after this: two ticks on, ours stands behind it.
    process.nextTick(this.#nextTick);
  }

  readonly #nextTick = (): void => process.nextTick(this.#releaseAfterTurn);

  readonly #releaseAfterTurn = (): void => {
    setImmediate(this.#release);
  };

  readonly #release = (): void => {
    this.#held = false;
    this.#socket.uncork();
  };
}
