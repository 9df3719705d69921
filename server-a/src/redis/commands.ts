/**
 * The scripts as commands: one call for all of its requests, which must be alike as `nameOf` and `isAlike` say. Raw words
 * stay in this file, and raw replies in replies.ts.
 */
import type {
  AdmitReply,
  AdmitRequest,
  ConsumeReply,
  ConsumeRequest,
  RateLimit,
  RefuseReply,
  RefuseRequest,
  SettleReply,
  SettleRequest,
  Window,
} from './calls.js';
import type { RedisClient } from './client.js';
import type { ManyAtOnce } from './gatherer.js';
import { readAdmits, readConsumes, readRefusals, readSettles } from './replies.js';
import { callOn, KeysApart, NotRun, type RedisRoutes, untilRun, type WhenLate } from './routes.js';
import { RedisUnavailable } from './unavailable.js';

type Words = (string | number)[];

/** Milliseconds for which a script without a limit of its own is sent anew, where Redis says that it was not run. */
const RESEND_FOR_MS = 500;

/**
 * Claims keys and charges their units. After an error that Redis answers each may go alone: the script has changed nothing.
 * Where it was not run, each has to be sent with a new time, unless one alone may be served where several are not.
 */
export function admitCommand(routes: RedisRoutes): ManyAtOnce<AdmitRequest, AdmitReply> {
  return {
    nameOf: ({ counterKey }) => counterKey,
    isAlike: (one, other) =>
      one.limit === other.limit && one.terms === other.terms && isSameRate(one.rate, other.rate),
    keyOf: ({ recordKey }) => recordKey,
    mayGoAlone: isOfSeveral,
    call: (first, requests, { limitMs, route }) => {
      const { counterKey, rate } = first;
      const words = recordKeys(requests);
      words.push(counterKey);
      if (rate !== undefined) words.push(rate.bucketKey);
      const keys = words.length;
      words.push(
        first.terms,
        first.limit,
        latestFrom(requests),
        earliestUntil(requests),
        rate?.perSecond ?? 0,
      );
      for (const { id, digest, owner } of requests) words.push(id + digest + owner);
      return callOn(
        route ?? routes.routeOf(first.recordKey),
        (client) => client.admit(keys, ...words),
        (raw) => readAdmits(raw, requests),
        limitMs,
      );
    },
  };
}

/** Stores refusals, or says what stands under their keys. Alone as {@link admitCommand}. */
export function refuseCommand(routes: RedisRoutes): ManyAtOnce<RefuseRequest, RefuseReply> {
  return {
    nameOf: ({ countKey }) => countKey,
    isAlike: (one, other) => one.strict === other.strict && one.most === other.most,
    keyOf: ({ recordKey }) => recordKey,
    mayGoAlone: isOfSeveral,
    call: (first, requests, { limitMs, route }) => {
      const words = recordKeys(requests);
      // A question has one key: with a second one, it would not be served while their slot is on its way.
      if (requests.some(({ lifeMs }) => lifeMs > 0)) words.push(first.countKey);
      const keys = words.length;
      words.push(first.strict ? 1 : 0, latestFrom(requests), earliestUntil(requests));
      words.push(first.most, first.countLifeSeconds);
      for (const { id, digest, httpStatus, body, lifeMs } of requests) {
        words.push(id + digest, httpStatus + body, lifeMs);
      }
      return callOn(
        route ?? routes.routeOf(first.recordKey),
        (client) => client.refuse(keys, ...words),
        (raw) => readRefusals(raw, requests),
        limitMs,
      );
    },
  };
}

/**
 * Ends attempts in the same way. After an error that Redis answers, also midway, each may go alone: an attempt may be ended
 * twice. One that goes alone is sent until it was run.
 */
export function settleCommand(routes: RedisRoutes): ManyAtOnce<SettleRequest, SettleReply> {
  return {
    nameOf: ({ counterKey }) => counterKey,
    isAlike: (one, other) =>
      one.ending === other.ending &&
      one.durationMs === other.durationMs &&
      one.admitDeadlineMs === other.admitDeadlineMs,
    keyOf: ({ recordKey }) => recordKey,
    mayGoAlone: (error) => error instanceof NotRun || isAnswer(error),
    call: (first, requests, { limitMs }) => {
      const { recordKey, ending, durationMs, admitDeadlineMs } = first;
      const words = recordKeys(requests);
      if (ending === 'not_sent') words.push(first.counterKey);
      const keys = words.length;
      words.push(ending, durationMs, admitDeadlineMs);
      for (const { id, digest, owner } of requests) {
        words.push(ending === 'answered' ? id + digest : id + digest + owner);
      }
      const send = (client: RedisClient): Promise<unknown> => client.settle(keys, ...words);
      const read = (raw: unknown): readonly SettleReply[] => readSettles(raw, requests);
      return requests.length === 1
        ? callUntilRun(routes, recordKey, send, read, limitMs)
        : callOn(routes.routeOf(recordKey), send, read, limitMs);
    },
  };
}

/** Takes units. None goes alone: a second call would take a second unit. */
export function consumeCommand(routes: RedisRoutes): ManyAtOnce<ConsumeRequest, ConsumeReply> {
  return {
    nameOf: ({ counterKey }) => counterKey,
    isAlike: (one, other) => one.limit === other.limit && isSameRate(one.rate, other.rate),
    keyOf: () => undefined,
    mayGoAlone: () => false,
    call: (first, requests, { limitMs, route, whenLate }) => {
      const { counterKey, rate, limit, lifeSeconds } = first;
      const words: Words = rate === undefined ? [counterKey] : [counterKey, rate.bucketKey];
      const keys = words.length;
      words.push(limit, lifeSeconds, latestFrom(requests), earliestUntil(requests), requests.length);
      words.push(rate?.perSecond ?? 0);
      return callOn(
        route ?? routes.routeOf(counterKey),
        (client) => client.quotaConsume(keys, ...words),
        (raw) => readConsumes(raw, requests),
        limitMs,
        whenLate,
      );
    },
  };
}

/**
 * Runs a script that needs no time of Redis where its key lives, and again where it was not run.
 *
 * @param limitMs milliseconds for all calls together: a call that is sent anew has the rest of it
 */
export function callUntilRun<T>(
  routes: RedisRoutes,
  key: string,
  send: (client: RedisClient) => Promise<unknown>,
  read: (raw: unknown) => T,
  limitMs?: number,
  whenLate?: WhenLate<T>,
): Promise<T> {
  const deadline = performance.now() + (limitMs ?? RESEND_FOR_MS);
  let isSentAnew = false;
  return untilRun(deadline, (route) => {
    const hasLess = isSentAnew && limitMs !== undefined;
    isSentAnew = true;
    const leftMs = hasLess ? Math.max(1, deadline - performance.now()) : limitMs;
    return callOn(route ?? routes.routeOf(key), send, read, leftMs, whenLate);
  });
}

const recordKeys = (requests: readonly { readonly recordKey: string }[]): Words =>
  requests.map(({ recordKey }) => recordKey);

/** Each request's own time must be right: its id is of an epoch of its own. */
function latestFrom(requests: readonly Window[]): number {
  let latest = 0;
  for (const { fromMs } of requests) latest = Math.max(latest, fromMs);
  return latest;
}

/** As {@link latestFrom}. */
function earliestUntil(requests: readonly Window[]): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { untilMs } of requests) earliest = Math.min(earliest, untilMs);
  return earliest;
}

const isSameRate = (one: RateLimit | undefined, other: RateLimit | undefined): boolean =>
  one?.perSecond === other?.perSecond;

/** Redis itself has answered with an error. */
const isAnswer = (error: unknown): boolean => !(error instanceof RedisUnavailable);

/** An error that may be the fault of another request of the call; the script has changed nothing. */
const isOfSeveral = (error: unknown): boolean => error instanceof KeysApart || isAnswer(error);
