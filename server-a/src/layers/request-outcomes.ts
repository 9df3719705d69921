/** Names how requests have ended, for metrics and log lines: single sends, batches, and items of batches. */
import type { ApiError } from '../errors.js';
import type { Log } from '../logging/log.js';
import { madeOnce } from '../made-once.js';
import { type Metrics, UNKNOWN_CLIENT } from '../metrics.js';
import { SenderGone } from '../request/body.js';
import { keyDigest } from '../request/idempotency-key.js';
import type { SendContext } from '../request/state.js';

/** Outcome of a request whose connection broke before its body was here in whole. */
export const ABORTED = 'aborted';

/** Returns how a request, or an item of a batch, has ended. */
export function outcomeOf(ctx: SendContext, error: ApiError | undefined): string {
  if (error?.cause instanceof SenderGone) return ABORTED;
  if (ctx.state.replayed === true) return 'replayed';
  return error === undefined ? 'accepted' : error.code.toLowerCase();
}

/** Finds the counter of an outcome. */
export type OutcomeCounters = (ctx: SendContext, outcome: string) => { inc(): void };

/**
 * Returns a function that finds the counter of an outcome. It looks each one up by its labels once: the look-up costs more
 * than the count.
 */
export function outcomeCounters(metrics: Metrics): OutcomeCounters {
  const byClient = new Map<string, Map<string, { inc(): void }>>();
  return ({ state }, outcome) => {
    const client = state.client?.name ?? UNKNOWN_CLIENT;
    const byOutcome = mapUnder(byClient, client);
    let counter = byOutcome.get(outcome);
    if (counter === undefined) {
      counter = metrics.requests.kept({ client, outcome });
      byOutcome.set(outcome, counter);
    }
    return counter;
  };
}

/** Returns the map under a key, made empty if need be. */
function mapUnder<Outer, Inner, Value>(maps: Map<Outer, Map<Inner, Value>>, key: Outer): Map<Inner, Value> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

/** Where requests are counted and logged that have one API key and have ended in one way. */
interface RequestEnd {
  readonly counter: { inc(): void };
  /** Its lines begin with how they ended, and whose they are. */
  readonly log: Log;
}

/** Stands for the API key of requests that have none that is known. */
const NOBODY = {};

/**
 * Returns a function that finds where a request is counted and logged, by its outcome and its status (undefined = none was
 * sent). What such requests have in common is looked up, and made text for the log, once.
 */
export function requestEnds(
  counterOf: OutcomeCounters,
  log: Log,
): (ctx: SendContext, outcome: string, status: number | undefined) => RequestEnd {
  const byStatusOf = madeOnce((_apiKey: object) => new Map<number | undefined, Map<string, RequestEnd>>());
  return (ctx, outcome, status) => {
    const { apiKey, client } = ctx.state;
    const byOutcome = mapUnder(byStatusOf(apiKey ?? NOBODY), status);
    let end = byOutcome.get(outcome);
    if (end === undefined) {
      const facts = { outcome, status, client: client?.name, client_api_key: apiKey?.maskedKey };
      end = { counter: counterOf(ctx, outcome), log: log.child(facts) };
      byOutcome.set(outcome, end);
    }
    return end;
  };
}

/** Returns the digest that stands for a key in the log; undefined = the request has no key. */
export const digestOf = (key: string | undefined): string | undefined =>
  key === undefined ? undefined : keyDigest(key);

/** Milliseconds to the microsecond. */
export const toMilliseconds = (seconds: number): number => Math.round(seconds * 1e6) / 1000;
