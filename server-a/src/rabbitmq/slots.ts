/**
 * The slots of MAX_IN_FLIGHT, and how they are divided among clients.
 *
 * A client may hold at most four times as many slots as are free. So one client alone holds four fifths of them, `n` busy
 * clients the same share each, and whoever comes next finds free slots: the rule of dynamic thresholds that switches share
 * their buffers by (Choudhury and Hahne, 1998).
 */
const SHARE_OF_FREE = 4;
/** Slots of which no client can hold all: with fewer, nothing is divided. */
export const LEAST_DIVIDED = SHARE_OF_FREE + 1;

/** Counts the messages in flight, in all and by client. */
export class Slots {
  readonly #limit: number;
  #taken = 0;
  /**
   * By the client's id. Who holds none any more stays, with 0: a Map in which keys come and go is built anew every few
   * requests, and each time in the old space. Its size is bounded by the clients that were ever configured.
   */
  readonly #held = new Map<string, number>();

  /** @param limit messages that may be in flight at once */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Messages in flight. */
  get taken(): number {
    return this.#taken;
  }

  /** Returns why a client may not take a slot; undefined = it may. @param client its id; undefined = the gateway itself */
  whyNot(client: string | undefined): 'overloaded' | 'over_share' | undefined {
    const free = this.#limit - this.#taken;
    if (free <= 0) return 'overloaded';
    if (client === undefined) return undefined;
    const held = this.#held.get(client) ?? 0;
    return held >= SHARE_OF_FREE * free ? 'over_share' : undefined;
  }

  take(client: string | undefined): void {
    this.#taken += 1;
    if (client !== undefined) this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
  }

  giveBack(client: string | undefined): void {
    this.#taken -= 1;
    if (client !== undefined) this.#held.set(client, (this.#held.get(client) ?? 0) - 1);
  }
}
