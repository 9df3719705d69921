/** A timer of a simulated process. */
import type { Event } from './virtual-time.js';

/** Whose timer it is. */
interface TimerOwner {
  readonly alive: boolean;
  /** The timers that wait. */
  readonly timers: Set<VirtualTimer>;
}

/** What setTimeout, setInterval and setImmediate return to a simulated process. */
export class VirtualTimer {
  readonly #owner: TimerOwner;
  readonly #start: () => Event;
  #event: Event | undefined;
  /** False = the process may end while this waits. */
  keepsAlive = true;

  constructor(owner: TimerOwner, start: () => Event) {
    this.#owner = owner;
    this.#start = start;
    this.refresh();
  }

  ref(): this {
    this.keepsAlive = true;
    return this;
  }

  unref(): this {
    this.keepsAlive = false;
    return this;
  }

  hasRef(): boolean {
    return this.keepsAlive;
  }

  refresh(): this {
    this.clear();
    if (!this.#owner.alive) return this;
    this.#event = this.#start();
    this.#owner.timers.add(this);
    return this;
  }

  clear(): void {
    if (this.#event !== undefined) this.#event.cancelled = true;
    this.#event = undefined;
    this.#owner.timers.delete(this);
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
