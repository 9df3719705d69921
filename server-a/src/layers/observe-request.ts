import type { RegistryHolder } from '../config/registry.js';
import { type ApiError, toApiError } from '../errors.js';
import type { Log } from '../logging.js';
import { type Metrics, UNKNOWN_CLIENT } from '../metrics.js';
import { isSendRequest } from '../paths.js';
import type { Context, Layer } from '../request-state.js';
import { traceContextOf } from '../trace-context.js';

/** What this layer needs. */
export interface ObserveRequestParts {
  readonly registry: RegistryHolder;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Writes one log line, one counter and one latency observation for a send request; for other paths a line only, at
 * `debug` while they succeed. Also fixes the configuration that the request is judged by.
 */
export function observeRequest({ registry, metrics, log }: ObserveRequestParts): Layer {
  const counterOf = outcomeCounters(metrics);
  return async function observeRequest(ctx, next) {
    const startedAt = performance.now();
    ctx.state.registry = registry.current;
    const trace = traceContextOf(ctx.req.headers);
    if (trace !== undefined) ctx.state.trace = trace;
    let error: ApiError | undefined;
    try {
      await next();
    } catch (thrown) {
      error = toApiError(thrown);
      throw error;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      if (isSendRequest(ctx)) {
        const outcome = outcomeOf(ctx, error);
        counterOf(ctx.state.client?.name ?? UNKNOWN_CLIENT, outcome).inc();
        metrics.requestDuration.observe(seconds);
        logSend(log, ctx, error, outcome, seconds);
      } else {
        logOther(log, ctx, error, seconds);
      }
    }
  };
}

function outcomeOf(ctx: Context, error: ApiError | undefined): string {
  if (ctx.state.replayed === true) return 'replayed';
  return error === undefined ? 'accepted' : error.code.toLowerCase();
}

/** Counter children by client and outcome, each resolved once: finding one by labels costs more than counting. */
function outcomeCounters(metrics: Metrics): (client: string, outcome: string) => { inc(): void } {
  const byClient = new Map<string, Map<string, { inc(): void }>>();
  return (client, outcome) => {
    let byOutcome = byClient.get(client);
    if (byOutcome === undefined) {
      byOutcome = new Map();
      byClient.set(client, byOutcome);
    }
    let counter = byOutcome.get(outcome);
    if (counter === undefined) {
      counter = metrics.requests.labels(client, outcome);
      byOutcome.set(outcome, counter);
    }
    return counter;
  };
}

function logSend(
  log: Log,
  ctx: Context,
  error: ApiError | undefined,
  outcome: string,
  seconds: number,
): void {
  const { client, trackingId, trace } = ctx.state;
  const line = {
    outcome,
    status: error?.status ?? ctx.status,
    duration_ms: toMilliseconds(seconds),
    tracking_id: trackingId,
    trace_id: trace?.traceId,
    client: client?.name,
    client_api_key: client?.maskedKey,
  };
  if (error?.code === 'INTERNAL_ERROR')
    log.error({ ...line, details: error.details, err: error.cause }, 'request');
  else log.info(line, 'request');
}

function logOther(log: Log, ctx: Context, error: ApiError | undefined, seconds: number): void {
  const status = error?.status ?? ctx.status;
  const line = {
    method: ctx.method,
    path: ctx.path.slice(0, 200),
    status,
    duration_ms: toMilliseconds(seconds),
  };
  if (status >= 500) log.warn({ ...line, err: error?.cause }, 'request');
  else if (status >= 400) log.info(line, 'request');
  else log.debug(line, 'request');
}

/** Milliseconds to the microsecond. */
const toMilliseconds = (seconds: number): number => Math.round(seconds * 1e6) / 1000;
