/** Counts the items of a batch by outcome; logs a line for each refused item, and one for the whole batch. */
import type { ApiError } from '../errors.js';
import type { Log } from '../logging/log.js';
import type { Metrics } from '../metrics.js';
import type { Context, SendContext } from '../request/state.js';
import { reportBlocked } from './provider-gate.js';
import { ABORTED, digestOf, outcomeCounters, outcomeOf, toMilliseconds } from './request-outcomes.js';

/** Counts an item that has ended, and returns its outcome. @param error its answer, where that is one */
export type ItemObserver = (ctx: SendContext, index: number, error: ApiError | undefined) => string;

/** Makes what observes items: counted like single requests, and logged where they are refused. */
export function itemObserver(metrics: Metrics, log: Log): ItemObserver {
  const counterOf = outcomeCounters(metrics);
  return (ctx, index, error) => {
    const outcome = outcomeOf(ctx, error);
    counterOf(ctx, outcome).inc();
    if (error !== undefined && error === ctx.state.blocked?.refusal) reportBlocked(ctx, metrics, log);
    const status = error?.status ?? ctx.res.statusCode;
    if (status !== 202) logRefused(ctx, index, error, { outcome, status });
    return outcome;
  };

  function logRefused(
    { state }: SendContext,
    index: number,
    error: ApiError | undefined,
    end: { readonly outcome: string; readonly status: number },
  ): void {
    const line = {
      ...end,
      index,
      tracking_id: state.trackingId,
      key_digest: digestOf(state.attempt?.key),
      trace_id: state.trace?.traceId,
      client: state.client?.name,
      client_api_key: state.apiKey?.maskedKey,
    };
    if (error?.code === 'INTERNAL_ERROR') {
      log.error({ ...line, details: error.details, err: error.cause }, 'batch.item_refused');
    } else log.info(line, 'batch.item_refused');
  }
}

/** Writes the line of a batch. @param error what it was refused with as a whole */
export function logBatch(log: Log, ctx: Context, error: ApiError | undefined, seconds: number): void {
  const { client, apiKey, trace, items, batch } = ctx.state;
  const outcome = batch === undefined ? outcomeOf(ctx, error) : undefined;
  const line = {
    outcome,
    // The sender has gone, so no status was sent.
    status: outcome === ABORTED ? undefined : (error?.status ?? ctx.res.statusCode),
    duration_ms: toMilliseconds(seconds),
    items: items?.length,
    outcomes: batch?.outcomes,
    quota_left: batch?.quotaLeft,
    tracking_ids: batch?.trackingIds,
    trace_id: trace?.traceId,
    client: client?.name,
    client_api_key: apiKey?.maskedKey,
  };
  if (error?.code === 'INTERNAL_ERROR')
    log.error({ ...line, details: error.details, err: error.cause }, 'batch');
  else log.info(line, 'batch');
}
