/** Watches that no attempt publishes once its lease is over, as long as it could have seen that. */
import type { RedisValue } from './lua-machine.js';
import type { Process } from './process.js';
import { CLIENTS } from './settings.js';

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
    if (command !== 'admit') return;
    const [count, ...keysAndWords] = words;
    const keys = keysAndWords.slice(0, Number(count));
    const records = keys.filter((key) => key.startsWith('idem:'));
    // The terms are the first word behind the keys, and the lease is the second of them.
    const lease = keysAndWords[keys.length]?.split(' ')[1];
    // A number says that all were claimed.
    const replies =
      typeof reply === 'number' ? records.map(() => reply) : Array.isArray(reply) ? reply[1] : [];
    if (!Array.isArray(replies)) return;
    for (const [index, one] of replies.entries()) this.#admitted(process, records[index], lease, one);
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
