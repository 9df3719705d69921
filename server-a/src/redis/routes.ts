/** Where a key lives: on the one Redis, or on one of a cluster's masters. */

import type { RedisClient } from './client.js';
import type { RedisClock } from './clock.js';
import { RedisUnavailable } from './unavailable.js';

/**
 * Is told that a call's limit has passed. The promise ends as the call would have without a limit: with what is read from
 * the reply, with what Redis answers as an error, or with RedisUnavailable where the connection ends first.
 */
export type WhenLate<T> = (late: Promise<T>) => void;

/** A connection to one Redis, as the scripts and the admission use it. */
export interface RouteLink {
  readonly clock: RedisClock;
  /**
   * Sends one command, and resolves to what is read from its reply.
   *
   * @throws {RedisUnavailable} without a reply in time
   */
  call<Reply, T>(
    send: (client: RedisClient) => Promise<Reply>,
    read: (reply: Reply) => T,
    limitMs?: number,
    whenLate?: WhenLate<T>,
  ): Promise<T>;
  /** Reads counters. @throws {RedisUnavailable} */
  mget(keys: readonly string[]): Promise<(string | null)[]>;
}

/** A way to the Redis that a key lives on. */
export interface Route {
  readonly link: RouteLink;
  /** The key's slot is on its way to that Redis: it serves the key only to a caller that says it was sent there (ASKING). */
  readonly asking: boolean;
}

/** Knows the way to each key. */
export interface RedisRoutes {
  /** Returns the way to a key. @throws {RedisUnavailable} when nobody serves the key now */
  routeOf(key: string): Route;
}

/** Runs a command on the way that leads to its keys. @throws as {@link RouteLink.call} */
export function callOn<T>(
  { link, asking }: Route,
  send: (client: RedisClient) => Promise<unknown>,
  read: (raw: unknown) => T,
  limitMs?: number,
  whenLate?: WhenLate<T>,
): Promise<T> {
  if (!asking) return link.call(send, read, limitMs, whenLate);
  return link.call(
    (client) => {
      // Both are sent in one turn, so no other command comes between them.
      client.asking?.().catch(() => {});
      return send(client);
    },
    read,
    limitMs,
    whenLate,
  );
}

/** Redis as the gateway sees it, whatever it is made of. */
export interface RedisService extends RedisRoutes {
  /** The time at Redis, roughly: of a cluster, at any of its masters. */
  readonly clock: Pick<RedisClock, 'now'>;
  /** True while a call has a chance of an answer; of a cluster, for every key. */
  readonly usable: boolean;
  /** Reads counters; of a cluster, from all its masters, and undefined where one is away. @throws {RedisUnavailable} */
  mget(keys: readonly string[]): Promise<(string | null | undefined)[]>;
  /** Asks whether Redis takes a write; of a cluster, whether any of its masters does. @throws {RedisUnavailable} */
  checkWrite(): Promise<void>;
  /** Has a function called whenever a connection has come up. */
  onReady(listener: () => void): void;
  /** Ends all connections once what is under way is answered, or at once where Redis is gone. */
  close(): Promise<void>;
}

/** Thrown when Redis has said that it did not run a script, and that it can be sent anew, at once or in a moment. */
export class NotRun extends RedisUnavailable {
  /** Where to send it, for this once; undefined = where its key lives by now. */
  readonly route: Route | undefined;

  constructor(message: string, route?: Route) {
    super(message, false);
    this.route = route;
  }
}

/** Thrown when a script's keys are not all in one place, because their slot is on its way: each alone may be served. */
export class KeysApart extends NotRun {}

/** Milliseconds before a script is sent anew: at once after a first redirection, then more rarely. */
const PAUSE_MS = { first: 5, most: 80 };

/**
 * Does work that sends a script, and does it anew as long as Redis says that the script was not run.
 *
 * @param deadline until when, by performance.now()
 * @param work is given the way for this once, where Redis has named one
 * @throws {NotRun} when the deadline has come; and whatever else the work throws
 */
export function untilRun<T>(deadline: number, work: (route: Route | undefined) => Promise<T>): Promise<T> {
  return attempt(work, undefined).catch((error: unknown) => workAgain(error, deadline, work));
}

/**
 * Does work anew that has ended with an error, as {@link untilRun} does after its first time.
 *
 * @throws {NotRun} when the deadline has come; and whatever else the work throws, or the first time has thrown
 */
export async function workAgain<T>(
  firstError: unknown,
  deadline: number,
  work: (route: Route | undefined) => Promise<T>,
): Promise<T> {
  let error = firstError;
  for (let tries = 0; ; tries += 1) {
    const pauseMs = tries === 0 ? 0 : Math.min(PAUSE_MS.first * 2 ** (tries - 1), PAUSE_MS.most);
    if (!(error instanceof NotRun) || performance.now() + pauseMs >= deadline) throw error;
    const { route } = error;
    // A way that holds for this once is used at once: after a pause, the slot may have moved on.
    if (pauseMs > 0 && route === undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    try {
      return await work(route);
    } catch (thrown) {
      error = thrown;
    }
  }
}

/** Makes a rejection of what work throws before it has begun: it throws where nobody serves the key now. */
function attempt<T>(work: (route: Route | undefined) => Promise<T>, route: Route | undefined): Promise<T> {
  try {
    return work(route);
  } catch (error) {
    return Promise.reject(error);
  }
}
