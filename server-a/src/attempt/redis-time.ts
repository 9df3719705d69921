/** Decides when a script may take effect. The time is Redis's own, of which the gateway has only an estimate. */

import type { NotNow, Window } from '../redis/calls.js';
import { NotRun, type RedisRoutes, type Route, workAgain } from '../redis/routes.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import { admissionEnd, admissionLimitMs } from './time-limits.js';

/**
 * What is asked of Redis: a script, which is sent as often as need be, and what its end means to whoever asks. An object of
 * a class, not functions for each sending: those took more memory than all else of an admission.
 */
export interface Question<Reply, Answer> {
  /** Lives on the Redis that is asked. */
  readonly key: string;
  /** Until when the request may wait, by performance.now(). */
  readonly deadline: number;
  /** Sends the script, which may take effect around a time of Redis's clock. Not before the last one has ended. */
  send(nowMs: number, limitMs: number, route: Route): Promise<Reply | NotNow>;
  /** Returns the answer to the reply of a script that has run, or what goes on until there is one. */
  read(reply: Reply): Answer | Promise<Answer>;
  /** Is told that the last script has no reply, before that is thrown or the script is sent anew. */
  failed?(error: unknown): void;
}

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
   * Asks Redis at its estimated time. Where Redis says that the script was not run, asks again with a new time, as long as
   * the request may wait.
   *
   * @throws {RedisUnavailable} when Redis gives no answer in time
   */
  ask<Reply extends { readonly status: string }, Answer>(question: Question<Reply, Answer>): Promise<Answer> {
    return this.#try(question, undefined, MOST_TRIES, (error) =>
      workAgain(error, admissionEnd(question.deadline), (named) =>
        this.#try(question, named, MOST_TRIES, rethrow),
      ).catch(rethrowAsGivenUp),
    );
  }

  /**
   * Sends it once. Where Redis tells another time, sends it again at that time. All that is to be done with the reply is
   * done in one place: each promise more is a wait more for every request.
   *
   * @param named the way for this once, where Redis has named one
   * @param onError goes on after an error, or throws it
   */
  #try<Reply extends { readonly status: string }, Answer>(
    question: Question<Reply, Answer>,
    named: Route | undefined,
    triesLeft: number,
    onError: (error: unknown) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      const route = named ?? this.#routes.routeOf(question.key);
      const { clock } = route.link;
      const nowMs = clock.now();
      if (nowMs === undefined) throw new RedisUnavailable("Redis's time is not known yet", false);
      return question.send(nowMs, admissionLimitMs(question.deadline, this.#timeoutMs), route).then(
        (reply) => {
          if (!isNotNow(reply)) return question.read(reply);
          clock.correct(reply.nowMs);
          if (triesLeft === 1) throw new RedisUnavailable('Redis did not run the script in time', false);
          return this.#try(question, route, triesLeft - 1, onError);
        },
        (error: unknown) => {
          question.failed?.(error);
          return onError(error);
        },
      );
    } catch (error) {
      return Promise.reject(error).catch(onError);
    }
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

function rethrow(error: unknown): never {
  throw error;
}

/** What is given up here is no NotRun any more: whoever waits for it, another question's reply, would be asked for again. */
function rethrowAsGivenUp(error: unknown): never {
  throw error instanceof NotRun ? new RedisUnavailable(error.message, false, error) : error;
}

function isNotNow(reply: { readonly status: string }): reply is NotNow {
  return reply.status === 'not_now';
}
