/** Names how requests have ended, for metrics and log lines: single sends, batches, and items of batches. */
import type { ApiError } from '../errors.js';
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

/**
 * Returns a function that finds the counter of an outcome. It looks each one up by its labels once: the look-up costs more
 * than the count.
 */
export function outcomeCounters(metrics: Metrics): (ctx: SendContext, outcome: string) => { inc(): void } {
  const byClient = new Map<string, Map<string, { inc(): void }>>();
  return ({ state }, outcome) => {
    const client = state.client?.name ?? UNKNOWN_CLIENT;
    let byOutcome = byClient.get(client);
    if (byOutcome === undefined) {
      byOutcome = new Map();
      byClient.set(client, byOutcome);
    }
    let counter = byOutcome.get(outcome);
    if (counter === undefined) {
      counter = metrics.requests.kept({ client, outcome });
      byOutcome.set(outcome, counter);
    }
    return counter;
  };
}

/** Returns the digest that stands for a key in the log; undefined = the request has no key. */
export const digestOf = (key: string | undefined): string | undefined =>
  key === undefined ? undefined : keyDigest(key);

/** Milliseconds to the microsecond. */
export const toMilliseconds = (seconds: number): number => Math.round(seconds * 1e6) / 1000;
