/** The globals through which the gateway's code reads clocks, sets timers and draws random bytes, put into virtual time. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { TimerOptions } from 'node:timers';
import timersPromises from 'node:timers/promises';
import { Process } from './process.js';
import { PHASE, type VirtualTime } from './virtual-time.js';
import { VirtualTimer } from './virtual-timer.js';

const real = {
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate,
  now: Date.now,
  performanceNow: performance.now.bind(performance),
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
  timeoutPromise: timersPromises.setTimeout,
  immediatePromise: timersPromises.setImmediate,
};

let inForce: VirtualTime | undefined;

/** Puts a history's time in force, for code that runs as one of its processes; all other code keeps the real one. */
export function useTime(time: VirtualTime | undefined): void {
  inForce = time;
}

function running(): Process | undefined {
  const owner = inForce?.current;
  return owner instanceof Process ? owner : undefined;
}

type Callback = (...args: unknown[]) => void;

function timeout(process: Process, callback: Callback, delay: unknown, args: unknown[], repeats: boolean) {
  // As Node.js counts: whole milliseconds, at least one.
  const ms = Math.max(1, Math.trunc(Number(delay)) || 1);
  process.pass('timer');
  const timer = new VirtualTimer(process, () =>
    process.time.at(process.localNow + ms + process.timerLateness(), PHASE.timer, process, () => {
      if (repeats) timer.refresh();
      else timer.clear();
      process.pass('fire');
      if (process.alive) callback(...args);
    }),
  );
  return timer;
}

function immediate(process: Process, callback: Callback, args: unknown[]): VirtualTimer {
  const timer = new VirtualTimer(process, () =>
    process.time.at(process.localNow, PHASE.immediate, process, () => {
      timer.clear();
      callback(...args);
    }),
  );
  return timer;
}

/** Wraps a global: a simulated process gets the virtual one. */
const globals = {
  setTimeout: (callback: Callback, delay?: number, ...args: unknown[]): unknown => {
    const process = running();
    return process === undefined
      ? real.setTimeout(callback, delay, ...args)
      : timeout(process, callback, delay, args, false);
  },
  setInterval: (callback: Callback, delay?: number, ...args: unknown[]): unknown => {
    const process = running();
    return process === undefined
      ? real.setInterval(callback, delay, ...args)
      : timeout(process, callback, delay, args, true);
  },
  setImmediate: (callback: Callback, ...args: unknown[]): unknown => {
    const process = running();
    return process === undefined ? real.setImmediate(callback, ...args) : immediate(process, callback, args);
  },
  clearTimeout: (timer: unknown): void => clear(timer, real.clearTimeout),
  clearInterval: (timer: unknown): void => clear(timer, real.clearInterval),
  clearImmediate: (timer: unknown): void => clear(timer, real.clearImmediate),
};

/** As `node:timers/promises` has them; without their options. */
const promises = {
  setTimeout: <T>(delay?: number, value?: T, options?: TimerOptions): Promise<T | undefined> => {
    const process = running();
    if (process === undefined) return real.timeoutPromise(delay, value, options);
    if (options !== undefined) throw new Error('a timer with options is not simulated');
    return new Promise((resolve) => timeout(process, () => resolve(value), delay, [], false));
  },
  setImmediate: <T>(value?: T, options?: TimerOptions): Promise<T | undefined> => {
    const process = running();
    if (process === undefined) return real.immediatePromise(value, options);
    if (options !== undefined) throw new Error('a timer with options is not simulated');
    return new Promise((resolve) => immediate(process, () => resolve(value), []));
  },
};

function clear<Handle>(timer: unknown, otherwise: (handle: Handle) => void): void {
  if (timer instanceof VirtualTimer) timer.clear();
  // A handle that is not ours came from the function that is called with it.
  else Reflect.apply(otherwise, undefined, [timer]);
}

/** Installs all of it, once for the life of this (real) process; without a simulated process running nothing changes. */
export function installVirtualGlobals(): void {
  Object.assign(globalThis, globals);
  Object.assign(timersPromises, promises);
  Date.now = () => running()?.wallClock() ?? real.now();
  const RealDate = Date;
  Object.assign(globalThis, {
    Date: new Proxy(RealDate, {
      construct: (target, args, newTarget) => {
        const process = args.length === 0 ? running() : undefined;
        return Reflect.construct(target, process === undefined ? args : [process.wallClock()], newTarget);
      },
    }),
  });
  performance.now = () => running()?.monotonicClock() ?? real.performanceNow();
  Object.assign(crypto, {
    randomBytes: (size: number): Buffer => running()?.random.bytes(size) ?? real.randomBytes(size),
    randomUUID: (): string => {
      const bytes = running()?.random.bytes(16);
      if (bytes === undefined) return real.randomUUID();
      bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
      bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
      return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    },
  });
  syncBuiltinESMExports();
}
