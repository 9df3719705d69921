/** One life of a simulated process: its clocks, its timers, and the points at which it may be frozen or killed. */
import { Choices } from './choices.js';
import type { FailurePoint, InjectedFailures } from './injected-failures.js';
import { type EventOwner, PHASE, type VirtualTime } from './virtual-time.js';
import type { VirtualTimer } from './virtual-timer.js';

/** Kinds of steps of a process between which it may stand still or die. */
export const STEPS = [
  'clock',
  'timer',
  'fire',
  'command',
  'sent',
  'reply',
  'publish',
  'published',
  'confirm',
  'request',
  'answer',
] as const;
export type Step = (typeof STEPS)[number];

/** Probabilities of failures at each step of a kind. */
export type StepRates = Readonly<Record<Step, { readonly freeze: number; readonly kill: number }>>;

/** Milliseconds that a freeze may take: around the limits that the gateway works with, and beyond them. */
const FREEZES = [5, 40, 200, 450, 520, 900, 1300, 2000, 2900, 3300, 4200, 6000, 12_000, 17_000, 40_000];

/** What a process is told when it starts. */
export interface ProcessOptions {
  /** Gateway and life, `g1.2`. */
  readonly name: string;
  readonly time: VirtualTime;
  readonly seed: number;
  readonly failures: InjectedFailures;
  readonly rates: StepRates;
  /** Milliseconds of 1970 at the history's begin. */
  readonly epochMs: number;
  /** Milliseconds that its wall clock is ahead; asked at each look. */
  readonly wallClockSkew: () => number;
  /** Is told that the process has died at a step (by an injected failure). */
  readonly onKilled: () => void;
}

/** One life. */
export class Process implements EventOwner {
  readonly name: string;
  readonly time: VirtualTime;
  readonly timers = new Set<VirtualTimer>();
  /** What its random bytes are drawn from. */
  readonly random: Choices;
  /** Times that it stood still, milliseconds. */
  readonly frozen: { readonly from: number; readonly until: number }[] = [];
  alive = true;
  /** The process's own now: later than the world's from the moment of a freeze until the world has caught up. */
  localNow: number;
  /** Times that it has read its monotonic clock since it last stood still. */
  looks = 0;
  readonly #options: ProcessOptions;
  readonly #freezePoints: ReadonlyMap<Step, FailurePoint>;
  readonly #killPoints: ReadonlyMap<Step, FailurePoint>;
  readonly #lateness: Choices;
  readonly #monotonicOrigin: number;

  constructor(options: ProcessOptions) {
    const { name, time, seed, failures, rates } = options;
    this.#options = options;
    this.name = name;
    this.time = time;
    this.localNow = time.now;
    this.random = new Choices(seed, `${name}/random`);
    this.#lateness = new Choices(seed, `${name}/lateness`);
    this.#monotonicOrigin = 1000 * this.#lateness.next() - time.now;
    const points = (kind: 'freeze' | 'kill') => (step: Step) =>
      failures.point(`${name}/${kind}-at-${step}`, rates[step][kind]);
    this.#freezePoints = byStep(points('freeze'));
    this.#killPoints = byStep(points('kill'));
  }

  /** Reads the monotonic clock, as performance.now does. */
  monotonicClock(): number {
    this.pass('clock');
    this.looks += 1;
    return this.localNow + this.#monotonicOrigin;
  }

  /** Reads the wall clock, as Date.now does. */
  wallClock(): number {
    this.pass('clock');
    return Math.floor(this.#options.epochMs + this.localNow + this.#options.wallClockSkew());
  }

  /** Milliseconds by which the next timer is late. */
  timerLateness(): number {
    return this.#lateness.skewed(0, 2);
  }

  /** Passes from one step to the next: here it may stand still, or die. */
  pass(step: Step): void {
    if (!this.alive) return;
    const freeze = this.#freezePoints.get(step)?.();
    if (freeze !== undefined) {
      const ms = freeze.choices.pick(FREEZES) * (0.9 + 0.2 * freeze.choices.next());
      freeze.injected.what = `${this.name} stands still for ${Math.round(ms)} ms, before its next ${step}`;
      this.freeze(ms);
    }
    const kill = this.#killPoints.get(step)?.();
    if (kill === undefined) return;
    kill.injected.what = `${this.name} is killed before its next ${step}`;
    this.kill();
    this.#options.onKilled();
  }

  /** Stands still from its own now on (SIGSTOP, and SIGCONT after it). @param ms milliseconds */
  freeze(ms: number): void {
    const from = Math.max(this.localNow, this.time.now);
    this.frozen.push({ from, until: from + ms });
    this.localNow = from + ms;
    this.looks = 0;
  }

  /** Milliseconds of a span that it stood still. */
  frozenWithin(from: number, until: number): number {
    return this.frozen.reduce(
      (sum, span) => sum + Math.max(0, Math.min(until, span.until) - Math.max(from, span.from)),
      0,
    );
  }

  /** Ends at once (kill -9): what it has not sent yet is never sent, and what waits in it waits for ever. */
  kill(): void {
    this.alive = false;
    for (const timer of this.timers) timer.clear();
  }

  /** Has something leave the process at its own now: an answer, a command. */
  output(leave: () => void): void {
    if (!this.alive) return;
    if (this.localNow <= this.time.now) leave();
    // Outputs are no code of the process: they leave at the moment of the thaw, in order.
    else this.time.at(this.localNow, PHASE.timer, this, leave);
  }

  /** Has something reach the process: its code runs then. */
  input(at: number, run: () => void): void {
    this.time.at(at, PHASE.io, this, run);
  }
}

function byStep(make: (step: Step) => FailurePoint): ReadonlyMap<Step, FailurePoint> {
  return new Map(STEPS.map((step) => [step, make(step)]));
}
