import type { Duplex } from 'node:stream';
import type { Redis } from 'ioredis';

/**
 * Lets everything that is written to a socket in one turn of the event loop leave in one system call.
 *
 * ioredis and amqplib write each command or message on its own, and under load these system calls are the most expensive
 * part of a request. The socket is corked until the end of the turn, so the commands of all requests that were read in
 * this turn leave together. No command waits longer than its own turn.
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
    // amqplib's multiplexer writes in an immediate, which it requests one tick after the publish. The release is
    // requested one tick later than that, so it runs after amqplib's write.
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

/** Returns a function that holds the writes of whatever connection an ioredis client has now. */
export function writeCoalescerOf(redis: Pick<Redis, 'on' | 'stream'>): () => void {
  let coalescer: WriteCoalescer | undefined;
  redis.on('connect', () => {
    coalescer = new WriteCoalescer(redis.stream);
  });
  return () => coalescer?.hold();
}
