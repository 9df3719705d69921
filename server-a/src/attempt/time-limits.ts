/** How long a request may take, and what follows from that for claims. All of these numbers stand here. */
import type { Environment } from '../config/environment.js';

/** Milliseconds that a request may wait for services, all waits together: with its own work it is answered within 3 s. */
export const REQUEST_LIMIT_MS = 2800;
/** Milliseconds of these that a publish leaves for the settlement of its outcome. */
const SETTLE_RESERVE_MS = 300;
/** Milliseconds that a publish needs at the least to be worth beginning. */
const PUBLISH_MIN_MS = 50;
/**
 * Milliseconds before its deadline at which a twin stops looking: its last look may take the key over, and the publish
 * and its settlement must still fit.
 */
const TWIN_RESERVE_MS = 650;
/** Milliseconds that a call is given even if the request's time is over: an answer a moment late is worth having. */
const LEAST_WAIT_MS = 50;

/** Milliseconds of slack in a lease: a pause of the process that an attempt may survive without losing its key. */
const LEASE_SLACK_MS = 700;

/**
 * Milliseconds that a key is held for a confirm that did not come in time: longer than a silent connection lasts (two
 * AMQP heartbeats and a half), after which the outcome is known one way or the other.
 */
export const HOLD_MS = 15_000;

/** The settings that bound a wait. */
export type TimeSettings = Pick<Environment, 'REDIS_TIMEOUT_MS' | 'PUBLISH_TIMEOUT_MS'>;

/**
 * Milliseconds that a record lives, by IDEMPOTENCY_TTL_SECONDS: an answered one from its answer, an open one from its first
 * claim. An open one must outlive the work on its key, however short answers are kept.
 */
export function livesOfRecords(ttlSeconds: number, lease: number) {
  const answerMs = ttlSeconds * 1000;
  const leastOpenMs = lease + HOLD_MS;
  return { answerMs, leastOpenMs, openMs: Math.max(answerMs, leastOpenMs) };
}

/** Every wait between the moment a claim takes effect in Redis and the moment its attempt is settled, by name. */
export function waitsOfAnAttempt(settings: TimeSettings): Readonly<Record<string, number>> {
  return {
    replyOfAdmit: settings.REDIS_TIMEOUT_MS,
    publish: settings.PUBLISH_TIMEOUT_MS,
    settle: settings.REDIS_TIMEOUT_MS,
  };
}

/** Milliseconds that a claim is good for: the longest attempt, and some slack. */
export function leaseMs(settings: TimeSettings): number {
  const longest = Object.values(waitsOfAnAttempt(settings)).reduce((sum, wait) => sum + wait, 0);
  return Math.min(longest, REQUEST_LIMIT_MS) + LEASE_SLACK_MS;
}

/**
 * Returns until when a request may wait for services (by performance.now(), milliseconds). The time begins with the first
 * call of this: before it, the request has waited only for its sender's body.
 */
export function deadlineOf(ctx: { readonly state: { deadline: number | undefined } }): number {
  ctx.state.deadline ??= performance.now() + REQUEST_LIMIT_MS;
  return ctx.state.deadline;
}

/** Milliseconds that an admission or a refusal may wait. */
export function admissionLimitMs(deadline: number, timeoutMs: number): number {
  return within(admissionEnd(deadline), timeoutMs);
}

/** Until when a request may try to be admitted, by performance.now(). */
export function admissionEnd(deadline: number): number {
  return deadline - SETTLE_RESERVE_MS - PUBLISH_MIN_MS;
}

/** Milliseconds that a settlement may wait. */
export function settleLimitMs(deadline: number, timeoutMs: number): number {
  return within(deadline, timeoutMs);
}

/** Milliseconds that a publish may wait for its confirm; 0 = there is no time to begin one. */
export function publishLimitMs(deadline: number, timeoutMs: number): number {
  const left = deadline - performance.now() - SETTLE_RESERVE_MS;
  return left < PUBLISH_MIN_MS ? 0 : Math.min(timeoutMs, left);
}

/** True while a twin may look again. */
export function mayLookAgain(deadline: number, pauseMs: number): boolean {
  return performance.now() + pauseMs < deadline - TWIN_RESERVE_MS;
}

function within(end: number, timeoutMs: number): number {
  return Math.max(LEAST_WAIT_MS, Math.min(timeoutMs, end - performance.now()));
}
