/**
 * What a history is like: how many gateways, which settings, which kinds of failures and how often. Each history has some
 * kinds and not the others: failures that never come together with every other kind find more than an even mixture.
 */
import type { Choices } from './choices.js';
import { STEPS, type StepRates } from './process.js';
import { COMMAND_FAILURES, type CommandFailure } from './redis-connection.js';
import type { HistorySettings } from './settings.js';
import { MESSAGE_FAILURES, type MessageFailureKind } from './simulated-broker.js';

/** Things that happen to the whole world, or to one gateway, at a time. */
export const HAPPENINGS = [
  'redis stands still',
  'redis is down',
  'connections to redis are cut',
  'redis is slow',
  'the clock of redis jumps',
  'broker stands still',
  'broker is down',
  'connections to the broker are cut',
  'broker blocks',
  'queue is missing',
  'gateway is killed',
  'gateway ends in order',
  'gateway stands still',
  'wall clock jumps',
  'no provider is available',
  'Beta is disabled',
  'quota is lowered',
  'quota is raised',
] as const;
export type Happening = (typeof HAPPENINGS)[number];

/** Losses of Redis, which excuse some of the checks. */
export const LOSSES = ['redis fails over', 'redis forgets everything'] as const;
export type Loss = (typeof LOSSES)[number];

/** A history's parameters. */
export interface Scenario {
  readonly gateways: number;
  readonly keys: number;
  readonly unkeyed: number;
  readonly settings: HistorySettings;
  readonly background: boolean;
  /** Units a day that the keyed client has at first. */
  readonly quota: number;
  /** New messages a second of the keyed client; undefined = as many as come. */
  readonly perSecond: number | undefined;
  /** Milliseconds of 1970 at the begin. */
  readonly epochMs: number;
  /** Milliseconds during which failures are injected. */
  readonly failuresUntil: number;
  /** Milliseconds during which senders begin. */
  readonly begins: number;
  /** Milliseconds of one way through the network. */
  readonly latency: number;
  readonly steps: StepRates;
  readonly commandFailures: { readonly rate: number; readonly kinds: readonly CommandFailure['kind'][] };
  readonly messageFailures: { readonly rate: number; readonly kinds: readonly MessageFailureKind[] };
  readonly happenings: readonly { readonly at: number; readonly what: Happening | Loss }[];
  /** Nothing fails. */
  readonly calm: boolean;
  /** Records end within the history. */
  readonly shortLives: boolean;
  /** Redis loses writes in this history. */
  readonly losses: boolean;
  /** Senders now and then hang up early, or ask again after a decision. */
  readonly impatience: number;
  /** How often an attempt goes in a batch with others, and for how many milliseconds a batch waits for them. */
  readonly batches: { readonly rate: number; readonly waitMs: number };
}

const YEAR_SECONDS = 31_536_000;
/** Noon of a day, and a moment before midnight. */
const NOON = Date.UTC(2026, 4, 12, 12);
const MIDNIGHT = Date.UTC(2026, 4, 13);

/** Draws a history's parameters. */
export function scenarioOf(choices: Choices): Scenario {
  const calm = choices.chance(0.06);
  const losses = !calm && choices.chance(0.2);
  const shortLives = choices.chance(0.12);
  const failuresUntil = choices.skewed(8000, 60_000);
  const often = choices.pick([0.02, 0.08, 0.25]);
  const happenings = calm ? 0 : choices.integer(0, 6);
  const mix = someOf(choices, HAPPENINGS, 1, 6);
  const settings = settingsOf(choices, shortLives);
  const withLosses = losses ? [...mix, ...LOSSES, ...LOSSES] : mix;
  return {
    gateways: choices.pick([1, 2, 2, 2, 3]),
    keys: choices.pick([1, 2, 3, 5]),
    unkeyed: choices.pick([0, 0, 2, 6]),
    settings,
    background: choices.chance(0.3),
    quota: choices.pick([1000, 1000, 1, 3]),
    epochMs: choices.chance(0.3)
      ? MIDNIGHT - choices.integer(0, failuresUntil)
      : NOON + choices.integer(0, 1e6),
    failuresUntil,
    begins: choices.pick([50, 1000, 8000]),
    // A service that cannot answer within the limit would never be used with it.
    latency:
      settings.redisTimeoutMs < 500 || settings.publishTimeoutMs < 500
        ? 0.5
        : choices.pick([0.2, 0.5, 2, 15, 150]),
    steps: stepRates(choices, calm),
    commandFailures: {
      rate: calm || choices.chance(0.4) ? 0 : often,
      kinds: someOf(choices, COMMAND_FAILURES, 1, 6),
    },
    messageFailures: {
      rate: calm || choices.chance(0.3) ? 0 : choices.pick([0.1, 0.3, 0.7]),
      kinds: someOf(choices, MESSAGE_FAILURES, 1, 6),
    },
    happenings: Array.from({ length: happenings + (losses ? 1 : 0) }, (_, index) => ({
      at: choices.skewed(0, failuresUntil),
      what: losses && index === 0 ? choices.pick(LOSSES) : choices.pick(withLosses),
    })),
    calm,
    shortLives,
    losses,
    impatience: calm ? 0 : choices.pick([0, 0.1, 0.5]),
    perSecond: choices.chance(0.25) ? 1 : undefined,
    batches: { rate: choices.pick([0, 0, 0.4, 0.9]), waitMs: choices.pick([1, 50, 1000]) },
  };
}

function settingsOf(choices: Choices, shortLives: boolean): HistorySettings {
  const kind = choices.next();
  return {
    ttlSeconds: shortLives ? choices.pick([1, 5, 20, 60, 120]) : YEAR_SECONDS,
    mismatch: choices.pick(['replay', 'reject']),
    redisTimeoutMs: kind < 0.7 ? 500 : choices.pick([50, 120, 1500, 30_000]),
    publishTimeoutMs: kind < 0.7 ? 1200 : choices.pick([50, 200, 2500, 30_000]),
    maxInFlight: choices.chance(0.1) ? choices.pick([1, 2]) : 2000,
  };
}

/** Rates of a process that never stands still between two steps, and is never killed there. */
export function noStepFails(): Record<(typeof STEPS)[number], { freeze: number; kill: number }> {
  return {
    clock: { freeze: 0, kill: 0 },
    timer: { freeze: 0, kill: 0 },
    fire: { freeze: 0, kill: 0 },
    command: { freeze: 0, kill: 0 },
    sent: { freeze: 0, kill: 0 },
    reply: { freeze: 0, kill: 0 },
    publish: { freeze: 0, kill: 0 },
    published: { freeze: 0, kill: 0 },
    confirm: { freeze: 0, kill: 0 },
    request: { freeze: 0, kill: 0 },
    answer: { freeze: 0, kill: 0 },
  };
}

function stepRates(choices: Choices, calm: boolean): StepRates {
  const rates = noStepFails();
  if (calm) return rates;
  const draw = (kind: 'freeze' | 'kill'): void => {
    for (const step of someOf(choices, STEPS, 1, 2)) {
      const isFrequent = step === 'clock' || step === 'timer' || step === 'fire';
      rates[step][kind] = choices.pick([0.005, 0.02, 0.1, 0.3]) * (isFrequent ? 0.1 : 1);
    }
  };
  if (choices.chance(0.5)) draw('freeze');
  if (choices.chance(0.35)) draw('kill');
  return rates;
}

function someOf<T>(choices: Choices, all: readonly T[], min: number, max: number): T[] {
  const left = [...all];
  return Array.from({ length: Math.min(all.length, choices.integer(min, max)) }, () => {
    const [one] = left.splice(choices.integer(0, left.length - 1), 1);
    if (one === undefined) throw new Error('nothing is left');
    return one;
  });
}
