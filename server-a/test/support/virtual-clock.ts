/** Time that jumps: a test that waits for seconds takes none, and a busy machine makes no wait longer. */
import { syncBuiltinESMExports } from 'node:module';
import timersPromises, { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { type Event, PHASE, VirtualTime } from '../simulator/virtual-time.js';

/** Turns of the event loop in which nothing is due, before time jumps: what is at work without a timer goes first. */
const QUIET_TURNS = 5;

type Callback = (...args: unknown[]) => void;

/** What setTimeout and setInterval return. */
class Timer {
  readonly #begin: () => Event;
  #event: Event | undefined;

  constructor(begin: () => Event) {
    this.#begin = begin;
    this.#event = begin();
  }

  refresh(): this {
    this.clear();
    this.#event = this.#begin();
    return this;
  }

  clear(): void {
    if (this.#event !== undefined) this.#event.cancelled = true;
    this.#event = undefined;
  }

  hasRef(): boolean {
    return this.#event !== undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/**
 * Replaces the clocks and timers of this process until the test ends. Time stands still while there is work to do, and
 * jumps to the next timer when there is none. Sockets, files and other processes are not seen, so a test that waits for
 * them must not use this; nor must two tests at once.
 */
export function useVirtualClock(t: ExecutionContext): void {
  const real = { setTimeout, setInterval, clearTimeout, clearInterval, Date };
  const realPromise = timersPromises.setTimeout;
  const realNow = performance.now;
  const time = new VirtualTime();
  const [wallClock, monotonic] = [Date.now(), performance.now()];
  const owner = { alive: true, localNow: 0 };

  const timer = (callback: Callback, delay: unknown, args: unknown[], repeats: boolean): Timer => {
    // As Node.js counts: whole milliseconds, at least one.
    const ms = Math.max(1, Math.trunc(Number(delay)) || 1);
    const made = new Timer(() =>
      time.at(time.now + ms, PHASE.timer, owner, () => {
        if (repeats) made.refresh();
        else made.clear();
        callback(...args);
      }),
    );
    return made;
  };
  const clear = (clearReal: (timer: never) => void) => (made: unknown) => {
    if (made instanceof Timer) made.clear();
    else Reflect.apply(clearReal, undefined, [made]);
  };
  Object.assign(globalThis, {
    setTimeout: (callback: Callback, delay?: number, ...args: unknown[]) =>
      timer(callback, delay, args, false),
    setInterval: (callback: Callback, delay?: number, ...args: unknown[]) =>
      timer(callback, delay, args, true),
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
    Date: new Proxy(real.Date, {
      construct: (target, args, newTarget) =>
        Reflect.construct(target, args.length === 0 ? [wallClock + time.now] : args, newTarget),
      get: (target, name, receiver) =>
        name === 'now' ? () => wallClock + time.now : Reflect.get(target, name, receiver),
    }),
  });
  performance.now = () => monotonic + time.now;
  Object.assign(timersPromises, {
    setTimeout: (delay: number, value?: unknown, { signal }: { signal?: AbortSignal } = {}) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const made = timer(resolve, delay, [value], false);
        signal?.addEventListener('abort', () => {
          made.clear();
          reject(Object.assign(new Error('aborted'), { name: 'AbortError' }));
        });
      }),
  });
  syncBuiltinESMExports();

  let isOver = false;
  const go = async (): Promise<void> => {
    while (!isOver) {
      for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) await turnOfTheLoop();
      if (!isOver) await time.run(Number.POSITIVE_INFINITY, () => true);
    }
  };
  void go();
  t.teardown(() => {
    isOver = true;
    Object.assign(globalThis, real);
    performance.now = realNow;
    Object.assign(timersPromises, { setTimeout: realPromise });
    syncBuiltinESMExports();
  });
}
