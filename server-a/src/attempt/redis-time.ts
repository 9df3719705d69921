/** Decides when a script may take effect. The time is Redis's own, of which the gateway has only an estimate. */
import { type RedisRoutes, type Route, untilRun } from '../redis/routes.js';
import type { NotNow, Window } from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import { admissionEnd, admissionLimitMs } from './time-limits.js';

/** Sends a script that may take effect around a time of Redis's clock. */
type Ask<Reply> = (nowMs: number, limitMs: number, route: Route) => Promise<Reply | NotNow>;

/** How often a script is asked again because Redis told another time than the estimated one. */
const MOST_TRIES = 3;

/** Asks Redis at its own time. */
export class RedisTime {
  readonly #routes: RedisRoutes;
  readonly #timeoutMs: number;

  /** @param timeoutMs milliseconds that a call to Redis may take */
  constructor(routes: RedisRoutes, timeoutMs: number) {
    this.#routes = routes;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Asks the Redis that a key lives on, at its estimated time. Where Redis says that the script was not run, asks again
   * with a new time, as long as the request may wait.
   *
   * @param deadline until when the request may wait, by performance.now()
   * @throws {RedisUnavailable} when Redis gives no answer in time
   */
  ask<Reply extends { readonly status: string }>(
    key: string,
    deadline: number,
    ask: Ask<Reply>,
  ): Promise<Reply> {
    return untilRun(admissionEnd(deadline), (named) =>
      this.#onRoute(named ?? this.#routes.routeOf(key), deadline, ask, MOST_TRIES),
    );
  }

  /** Asks one Redis at its estimated time. Where Redis tells another time, asks again at that time. */
  #onRoute<Reply extends { readonly status: string }>(
    route: Route,
    deadline: number,
    ask: Ask<Reply>,
    triesLeft: number,
  ): Promise<Reply> {
    const { clock } = route.link;
    const nowMs = clock.now();
    if (nowMs === undefined) {
      return Promise.reject(new RedisUnavailable("Redis's time is not known yet", false));
    }
    return ask(nowMs, admissionLimitMs(deadline, this.#timeoutMs), route).then((reply) => {
      if (!isNotNow(reply)) return reply;
      clock.correct(reply.nowMs);
      if (triesLeft === 1) throw new RedisUnavailable('Redis did not run the script in time', false);
      return this.#onRoute(route, deadline, ask, triesLeft - 1);
    });
  }
}

/**
 * Returns the window in which a script may take effect. It ends when the request gives up. It begins as long before the
 * estimated time: an estimate that is further ahead would put the deadline too late, so the script does nothing then. The
 * window lies within the day and the epoch that the script's keys and id are made for. All times are milliseconds since
 * 1970, by Redis's clock.
 */
export function windowAround(nowMs: number, limitMs: number, notBeforeMs: number, endMs: number): Window {
  return {
    fromMs: Math.floor(Math.max(nowMs - limitMs, notBeforeMs)),
    untilMs: Math.floor(Math.min(nowMs + limitMs, endMs - 1)),
  };
}

function isNotNow(reply: { readonly status: string }): reply is NotNow {
  return reply.status === 'not_now';
}
