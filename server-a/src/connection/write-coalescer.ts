import type { Duplex } from 'node:stream';
import type { Redis } from 'ioredis';

/**
 * Lets what is written to a socket one after the other leave in one system call.
 *
 * ioredis and amqplib write each command or message on its own, and under load these system calls are the most expensive
 * part of a request. The socket is corked until the end of the turn of the event loop, so the messages of all requests
 * that were read in this turn leave together; or only until the next tick, where whoever writes has gathered already. No
 * write waits longer than its own turn.
 */
export class WriteCoalescer {
  readonly #socket: Duplex;
  readonly #until: 'turn' | 'tick';
  #held = false;

  constructor(socket: Duplex, until: 'turn' | 'tick' = 'turn') {
    this.#socket = socket;
    this.#until = until;
  }

  /** Holds the socket's writes; cheap to call before every write. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#socket.cork();
    if (this.#until === 'tick') {
      process.nextTick(this.#release);
      return;
    }
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
    coalescer = new WriteCoalescer(redis.stream, 'tick');
  });
  return () => coalescer?.hold();
}
