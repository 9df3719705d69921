/** Watches that no attempt publishes once its lease is over, as long as it could have seen that. */
import type { RedisValue } from './lua-machine.js';
import type { Process } from './process.js';
import { CLIENTS } from './settings.js';

/** Where the terms of a claim are among the words of a script: the lease is the second of them. */
const TERMS_WORD = { admit: 4, admitLimited: 5 } as const;
/** Where the lease is among the words of `admitBatch` behind its keys. */
const LEASE_WORD_OF_BATCH = 5;
/**
 * Looks at the clock after which a process cannot say that it stood still since its last look at the lease: the publisher
 * notes the time of a message, between that look and the write.
 */
const LOOKS_AFTER_CHECK = 1;

/** What the watch needs of the world. */
interface Watched {
  readonly time: { readonly now: number };
  violated(check: string, what: string): void;
}

/** Knows until when each process's last claim of each key is good. */
export class LeaseWatch {
  /** Virtual milliseconds, by process and Redis key. */
  readonly #ends = new Map<string, number>();
  readonly #world: Watched;

  constructor(world: Watched) {
    this.#world = world;
  }

  /** Redis has run a script. */
  executed(process: Process, command: string, words: readonly string[], reply: RedisValue): void {
    if (command === 'admit' || command === 'admitLimited') {
      this.#admitted(process, words[0], words[TERMS_WORD[command]]?.split(' ')[1], reply);
    } else if (command === 'admitBatch' && Array.isArray(reply)) {
      const [keys, ...rest] = words;
      const lease = rest[Number(keys) + LEASE_WORD_OF_BATCH];
      const replies = Array.isArray(reply[1]) ? reply[1] : [];
      for (const [index, one] of replies.entries()) this.#admitted(process, rest[index], lease, one);
    }
  }

  #admitted(
    process: Process,
    record: string | undefined,
    lease: string | undefined,
    reply: RedisValue,
  ): void {
    // What is claimed anew is told a number.
    const isAdmitted = Array.isArray(reply) ? reply[0] === 'admitted' : typeof reply === 'number';
    if (!isAdmitted) return;
    if (!(Number(lease) > 0)) throw new Error(`no lease: ${lease}`);
    this.#ends.set(`${process.name} ${record}`, this.#world.time.now + Number(lease));
  }

  /** A process hands a message of a key to its connection. */
  published(process: Process, key: string): void {
    const end = this.#ends.get(`${process.name} idem:${CLIENTS.keyed}:${key}`);
    if (end === undefined || process.localNow <= end || process.looks <= LOOKS_AFTER_CHECK) return;
    const late = Math.round(process.localNow - end);
    this.#world.violated('lease', `${process.name} publishes for ${key}, ${late} ms after its lease`);
  }
}
