/**
 * Virtual time: one queue of events for the whole world.
 *
 * One event is taken from the queue and run, then every microtask that follows from it, then the next. So all code that
 * runs meanwhile belongs to the process that owns the event, and a plain variable tells whose clock is read.
 */

/** Order of events of one moment: Node.js runs timers first, then reads sockets, then runs immediates. */
export const PHASE = { timer: 0, io: 1, immediate: 2 } as const;
type Phase = (typeof PHASE)[keyof typeof PHASE];

/** Whose code an event runs. */
export interface EventOwner {
  readonly alive: boolean;
  /** Milliseconds of the owner's own time: ahead of the world's while it stands still. */
  localNow: number;
}

/** Something that happens at a time. */
export class Event {
  at: number;
  cancelled = false;

  constructor(
    at: number,
    readonly phase: Phase,
    readonly sequence: number,
    /** Whose code runs; undefined = the world's own, which waits for no promise. */
    readonly owner: EventOwner | undefined,
    readonly run: () => void,
  ) {
    this.at = at;
  }

  before(other: Event): boolean {
    if (this.at !== other.at) return this.at < other.at;
    return this.phase === other.phase ? this.sequence < other.sequence : this.phase < other.phase;
  }
}

const realSetImmediate = setImmediate;
const drained = (): Promise<void> => new Promise((resolve) => realSetImmediate(resolve));

/** The queue of a history's events. */
export class VirtualTime {
  /** Milliseconds since the history's begin. */
  now = 0;
  /** The process whose code runs. */
  current: EventOwner | undefined;
  /** Events that were run. */
  events = 0;
  readonly #heap: Event[] = [];
  #sequence = 0;

  /** Schedules an event of the world. @param delay milliseconds */
  after(delay: number, run: () => void): Event {
    return this.at(this.now + delay, PHASE.io, undefined, run);
  }

  /** Schedules an event. */
  at(at: number, phase: Phase, owner: EventOwner | undefined, run: () => void): Event {
    this.#sequence += 1;
    const event = new Event(at, phase, this.#sequence, owner, run);
    this.#push(event);
    return event;
  }

  /** Runs events until none is left before a time, or until told to stop. @param done asked after each event */
  async run(until: number, done: () => boolean = () => false): Promise<void> {
    for (let event = this.#heap[0]; event !== undefined && event.at <= until; event = this.#heap[0]) {
      this.#pop();
      const { owner } = event;
      if (event.cancelled || owner?.alive === false) continue;
      this.now = Math.max(this.now, event.at);
      if (owner === undefined) {
        event.run();
      } else {
        if (owner.localNow > this.now) {
          // Frozen: it lies in the socket, or is due, until the process runs again.
          event.at = owner.localNow;
          this.#push(event);
          continue;
        }
        this.current = owner;
        owner.localNow = this.now;
        event.run();
        await drained();
        this.current = undefined;
      }
      this.events += 1;
      if (done()) return;
    }
    if (until !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, until);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || !event.before(parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      const right = heap[childAt + 1];
      if (right?.before(child)) {
        child = right;
        childAt += 1;
      }
      if (!child.before(last)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}
