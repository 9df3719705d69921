import type { RegistryHolder } from '../config/registry.js';
import { type ApiError, toApiError } from '../errors.js';
import { afterwards } from '../http/layers.js';
import { isBatchRequest, isSendRequest, REQUESTS_PATH } from '../http/paths.js';
import type { Log } from '../logging/log.js';
import type { Metrics } from '../metrics.js';
import { readIdempotencyKey } from '../request/idempotency-key.js';
import type { Context, Layer } from '../request/state.js';
import { traceContextOf } from '../request/trace-context.js';
import { logBatch } from './observe-items.js';
import { reportBlocked } from './provider-gate.js';
import {
  ABORTED,
  digestOf,
  outcomeCounters,
  outcomeOf,
  requestEnds,
  toMilliseconds,
} from './request-outcomes.js';

/** What this layer needs. */
export interface ObserveRequestParts {
  readonly registry: RegistryHolder;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Writes one log line, one counter and one latency observation for a send request, and for a batch that is refused as a
 * whole (observe-items counts the items of any other); for other paths it writes a line only, at `debug` where they
 * succeed. It also fixes the configuration by which the request is judged.
 */
export function observeRequest({ registry, metrics, log }: ObserveRequestParts): Layer {
  const counterOf = outcomeCounters(metrics);
  const endOf = requestEnds(counterOf, log);
  return function observeRequest(ctx, next) {
    const startedAt = performance.now();
    ctx.state.registry = registry.current;
    ctx.state.trace = traceContextOf(ctx.req.headers);
    return afterwards(
      next,
      () => observe(ctx, startedAt, undefined),
      (thrown: unknown) => {
        const error = toApiError(thrown);
        observe(ctx, startedAt, error);
        throw error;
      },
    );
  };

  function observe(ctx: Context, startedAt: number, error: ApiError | undefined): void {
    const seconds = (performance.now() - startedAt) / 1000;
    if (isSendRequest(ctx)) {
      const outcome = outcomeOf(ctx, error);
      // Where the sender has gone, no status was sent.
      const status = outcome === ABORTED ? undefined : (error?.status ?? ctx.res.statusCode);
      const end = endOf(ctx, outcome, status);
      end.counter.inc();
      metrics.requestDuration.observe(seconds);
      if (error !== undefined && error === ctx.state.blocked?.refusal) reportBlocked(ctx, metrics, log);
      logSend(end.log, ctx, error, seconds);
    } else if (isBatchRequest(ctx)) {
      if (ctx.state.batch === undefined) counterOf(ctx, outcomeOf(ctx, error)).inc();
      metrics.requestDuration.observe(seconds);
      logBatch(log, ctx, error, seconds);
    } else {
      metrics.otherRequests.inc({ status: error?.status ?? ctx.status });
      logOther(log, ctx, error, seconds);
    }
  }
}

/** @param log begins its lines with how such requests ended, and whose they are */
function logSend(log: Log, ctx: Context, error: ApiError | undefined, seconds: number): void {
  const { trackingId, trace } = ctx.state;
  const line = {
    duration_ms: toMilliseconds(seconds),
    tracking_id: trackingId,
    key_digest: digestOf(keyOf(ctx)),
    trace_id: trace?.traceId,
  };
  if (error?.code === 'INTERNAL_ERROR')
    log.error({ ...line, details: error.details, err: error.cause }, 'request');
  else log.info(line, 'request');
}

function logOther(log: Log, ctx: Context, error: ApiError | undefined, seconds: number): void {
  const status = error?.status ?? ctx.status;
  const { client, apiKey, trackingId, key } = ctx.state;
  const line = {
    method: ctx.method,
    // A key is logged as its digest only, also a key that is looked up.
    path: ctx.path.startsWith(REQUESTS_PATH) ? `${REQUESTS_PATH}{key}` : ctx.path.slice(0, 200),
    status,
    duration_ms: toMilliseconds(seconds),
    tracking_id: trackingId,
    key_digest: digestOf(key),
    client: client?.name,
    client_api_key: apiKey?.maskedKey,
  };
  if (status >= 500) log.warn({ ...line, err: error?.cause }, 'request');
  else if (status >= 400) log.info(line, 'request');
  else log.debug(line, 'request');
}

/** The key that a send request came with, whatever became of the request; undefined = none that can be one. */
function keyOf({ req, state }: Context): string | undefined {
  const header = req.headers['idempotency-key'];
  return state.attempt?.key ?? (header === undefined ? undefined : readIdempotencyKey(String(header)));
}
