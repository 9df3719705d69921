/** A simulated Redis server: the real scripts on one data set, with a clock, a life and connections that can be cut. */

import { readScript, SCRIPTS } from '../../src/redis/script-files.js';
import type { RedisValue } from './lua-machine.js';
import type { Process } from './process.js';
import { RedisData, type Script } from './redis-data.js';
import type { VirtualTime } from './virtual-time.js';

/** The scripts by the command that they define; the same files that a real Redis is given. */
const scripts: ReadonlyMap<string, Script> = new Map(
  Object.entries(SCRIPTS).map(([command, { file, keys }]) => [
    command,
    // Redis hashes and sends the bytes as they are.
    { lua: Buffer.from(readScript(file), 'utf8').toString('latin1'), keys },
  ]),
);

/** A connection as the server sees it. */
export interface ServedConnection {
  /** True for a process's own connection. */
  of(process: Process): boolean;
  /** Ends it. @param tellAfterMs milliseconds until its process hears of it */
  cut(tellAfterMs: number): void;
}

/** The server. */
export class SimulatedRedis {
  readonly data = new RedisData();
  readonly connections = new Set<ServedConnection>();
  readonly #time: VirtualTime;
  readonly #epochMs: number;
  /** Milliseconds that its clock was ahead, in the order of time; the last is in force. */
  readonly skews: number[] = [0];
  /** Is told of each command that was run. */
  onExecuted: (process: Process, command: string, words: readonly string[], reply: RedisValue) => void =
    () => {};
  up = true;
  /** Commands whose connection ended before their replies had come. */
  lostCalls = 0;
  #frozenUntil = 0;
  /** Commands that lie in sockets while it stands still. */
  #waiting: (() => void)[] = [];

  constructor(time: VirtualTime, epochMs: number) {
    this.#time = time;
    this.#epochMs = epochMs;
  }

  /** Its clock, milliseconds since 1970. */
  get nowMs(): number {
    return this.#epochMs + this.#time.now + (this.skews.at(-1) ?? 0);
  }

  /** Sets its clock by this many milliseconds, under all connections. */
  jump(ms: number): void {
    this.skews.push((this.skews.at(-1) ?? 0) + ms);
  }

  /** Runs a command or a script. @throws {RedisError} */
  execute(command: string, words: readonly string[]): RedisValue {
    const script = scripts.get(command);
    return script === undefined
      ? this.data.run(command, words, this.nowMs)
      : this.data.runScript(script, words, this.nowMs);
  }

  /** Runs what came over a connection: now, or when it goes on; never when it is down. */
  receive(run: () => void): void {
    if (!this.up) return;
    if (this.#time.now < this.#frozenUntil) this.#waiting.push(run);
    else run();
  }

  /** Stands still (SIGSTOP): what is sent lies in its sockets. */
  freeze(ms: number): void {
    const until = this.#time.now + ms;
    if (until <= this.#frozenUntil) return;
    this.#frozenUntil = until;
    this.#time.after(ms, () => {
      if (this.#time.now < this.#frozenUntil) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const run of waiting) run();
    });
  }

  /** Ends (its data is on disk), and comes back. */
  stop(ms: number): void {
    this.up = false;
    this.#waiting = [];
    this.cutAll();
    this.#time.after(ms, () => {
      this.up = true;
    });
  }

  /** Hands over to a replica that lacks the newest writes, and has a clock of its own. Returns how many writes it lacks. */
  failOver(lost: number, skewMs: number): number {
    this.cutAll();
    this.jump(skewMs);
    return this.data.forgetNewest(lost);
  }

  cutAll(): void {
    for (const connection of [...this.connections]) connection.cut(0);
  }
}
