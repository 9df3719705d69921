/**
 * THE REQUEST PATH. Start reading here: each layer is one file of layers/, and this is the order in which they run.
 *
 *   report errors    the only writer of error bodies
 *   observe request  one log line, one counter, one latency observation
 *   idempotency      replay | wait for the twin in flight, then replay | claim; on the way back: store or release
 *   auth             401
 *   validation       400, every fault by field
 *   provider gate    422 / 409 / 503, in memory
 *   quota            429, one Lua call
 *   publish          confirmed by the broker -> 202
 */
import type { Config } from './config/load.js';
import type { RegistryHolder } from './config/registry.js';
import { auth } from './layers/auth.js';
import { idempotency } from './layers/idempotency.js';
import { observeRequest } from './layers/observe-request.js';
import { providerGate } from './layers/provider-gate.js';
import { publish } from './layers/publish.js';
import { quota } from './layers/quota.js';
import { reportErrors } from './layers/report-errors.js';
import { validation } from './layers/validation.js';
import type { Log } from './logging.js';
import type { Metrics } from './metrics.js';
import type { Publisher } from './rabbitmq/publisher.js';
import type { Scripts } from './redis/scripts.js';
import type { Layer } from './request-state.js';
import type { Settlement } from './settlement.js';

/** What the layers are made from. */
export interface PipelineParts {
  readonly env: Config['env'];
  readonly registry: RegistryHolder;
  readonly scripts: Scripts;
  readonly settlement: Settlement;
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The two lists that make the request path; a benchmark or a test may put its own in their place. */
export interface Pipeline {
  readonly everyRequest: (parts: PipelineParts) => Layer[];
  readonly sendRequest: (parts: PipelineParts) => Layer[];
}

/** Layers that every request passes, whatever its path. */
export function everyRequest({ registry, metrics, log }: PipelineParts): Layer[] {
  return [reportErrors(), observeRequest({ registry, metrics, log })];
}

/** Layers of the send endpoint, behind {@link everyRequest}. */
export function sendRequest({ env, scripts, settlement, publisher, metrics, log }: PipelineParts): Layer[] {
  return [
    idempotency({
      scripts,
      settlement,
      metrics,
      log,
      ttlSeconds: env.IDEMPOTENCY_TTL_SECONDS,
      leaseMs: leaseMs(env),
      rejectMismatch: env.IDEMPOTENCY_MISMATCH === 'reject',
    }),
    auth(),
    validation(),
    providerGate({ enabled: env.PROVIDER_GATE_ENABLED, metrics, log }),
    quota({ scripts, settlement, publisher, prefix: env.QUOTA_PREFIX }),
    publish({
      publisher,
      target: { queue: env.RABBITMQ_OUTBOUND_QUEUE, serviceName: env.SERVICE_NAME },
    }),
  ];
}

/** The request path. */
export const PIPELINE: Pipeline = { everyRequest, sendRequest };

/** Milliseconds of slack in a lease: a pause of the process that a request may survive without losing its claim. */
const LEASE_SLACK_MS = 300;

/**
 * Milliseconds that a claim is good for. The longest path of a request after its claim: the quota's call, the confirm,
 * and the call that stores or gives back (and as much again as one call for the claim's own answer).
 */
export function leaseMs(env: Pick<Config['env'], 'REDIS_TIMEOUT_MS' | 'PUBLISH_TIMEOUT_MS'>): number {
  return 3 * env.REDIS_TIMEOUT_MS + env.PUBLISH_TIMEOUT_MS + LEASE_SLACK_MS;
}
