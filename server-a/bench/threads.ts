/** CPU of a process by thread, from the kernel's accounting in nanoseconds. */
import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds of CPU that a process has used so far. */
export interface ThreadTimes {
  readonly all: number;
  /** The thread that runs JavaScript. */
  readonly main: number;
  /** V8's helpers: they collect garbage and compile. */
  readonly v8: number;
  /** libuv's pool (files, names of hosts) and what is left. */
  readonly other: number;
}

/** Before Node.js 24 threads have no names of their own. V8's are the first: one that keeps time, and its pool. */
const DEFAULT_POOL = 4;

function v8Threads(pid: number): number {
  const size = /--v8-pool-size=(\d+)/.exec(textOf(`/proc/${pid}/cmdline`))?.[1];
  return 1 + Number(size ?? DEFAULT_POOL);
}

/** Returns the CPU of a Node.js process; zeros when it does not run. */
export function threadTimes(pid: number): ThreadTimes {
  const tasks = namesIn(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => a - b)
    .map((id) => ({ id, name: read(pid, id, 'comm').trim(), us: cpuUs(pid, id) }));
  const helpers = tasks.filter(({ id }) => id !== pid);
  const named = helpers.some(({ name }) => name.startsWith('V8'));
  const first = v8Threads(pid);
  const isV8 = helpers.map(({ name }, n) => (named ? /^(V8|DelayedTask)/.test(name) : n < first));
  const sum = (list: readonly { readonly us: number }[]): number =>
    list.reduce((total, { us }) => total + us, 0);
  return {
    all: sum(tasks),
    main: sum(tasks.filter(({ id }) => id === pid)),
    v8: sum(helpers.filter((_, n) => isV8[n])),
    other: sum(helpers.filter((_, n) => isV8[n] !== true)),
  };
}

/** Returns the CPU of any process, microseconds. */
export function processUs(pid: number | undefined): number {
  return pid === undefined ? 0 : threadTimes(pid).all;
}

/** The first number of schedstat: nanoseconds on a core. */
function cpuUs(pid: number, thread: number): number {
  return Number(read(pid, thread, 'schedstat').split(' ')[0]) / 1000;
}

function read(pid: number, thread: number, file: 'comm' | 'schedstat'): string {
  return textOf(`/proc/${pid}/task/${thread}/${file}`);
}

/** A thread or a process may end while we look. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
