/**
 * THE REQUEST PATH. Start reading here: each layer is one file of layers/, and this is the order in which they run.
 *
 *   report errors    the only writer of error bodies
 *   observe request  one log line, one counter, one latency observation
 *   identify         whose request this is
 *   idempotency      prepares the key; on the way back: settle the attempt, or replay, or store a refusal
 *   auth             401
 *   validation       400, every fault by field
 *   provider gate    422 / 409 / 503, in memory
 *   quota            429; with a key, the same Lua call claims the key: replay, wait for a twin, or go on
 *   publish          confirmed by the broker -> 202
 *
 * A batch takes another way up to its items: identify, auth, and the reading of the list. Each item then passes the layers
 * from idempotency on by itself, all of them at once.
 */
import { Admission } from './attempt/admission.js';
import type { Settlement } from './attempt/settlement.js';
import { leaseMs, livesOfRecords } from './attempt/time-limits.js';
import { TrackingIds } from './attempt/tracking-id.js';
import type { Config } from './config/load.js';
import type { RegistryHolder } from './config/registry.js';
import { auth } from './layers/auth.js';
import { batchBody } from './layers/batch-body.js';
import { idempotency, onceForEachKey } from './layers/idempotency.js';
import { identify } from './layers/identify.js';
import { lookUp } from './layers/look-up.js';
import { itemObserver } from './layers/observe-items.js';
import { observeRequest } from './layers/observe-request.js';
import { providerGate } from './layers/provider-gate.js';
import { publish } from './layers/publish.js';
import { quota } from './layers/quota.js';
import { reportErrors } from './layers/report-errors.js';
import { sendItems } from './layers/send-items.js';
import { checkFields, validation } from './layers/validation.js';
import type { Log } from './logging/log.js';
import type { Metrics } from './metrics.js';
import type { Publisher } from './rabbitmq/publisher.js';
import { keyNames } from './redis/keys.js';
import type { RedisService } from './redis/routes.js';
import type { Scripts } from './redis/scripts.js';
import type { Layer, SendLayer } from './request/state.js';

/** What the layers are made from. */
export interface PipelineParts {
  readonly env: Config['env'];
  readonly registry: RegistryHolder;
  readonly redis: Pick<RedisService, 'clock' | 'routeOf'>;
  readonly scripts: Scripts;
  readonly settlement: Settlement;
  readonly publisher: Publisher;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Layers that every request passes, whatever its path. */
export function everyRequest({ registry, metrics, log }: PipelineParts): Layer[] {
  return [reportErrors(), observeRequest({ registry, metrics, log })];
}

/** Layers of the send endpoint, behind {@link everyRequest}. */
export function sendRequest(parts: PipelineParts): Layer[] {
  const { idempotencyParts, fromGateOn } = sendParts(parts);
  return [
    identify(parts.metrics.apiKeyLastUsed),
    idempotency(idempotencyParts),
    auth(),
    validation(),
    ...fromGateOn,
  ];
}

/** Layers of the batch endpoint, behind {@link everyRequest}. Each item passes those of a single request. */
export function batchRequest(parts: PipelineParts): Layer[] {
  const { metrics, log } = parts;
  const { idempotencyParts, fromGateOn } = sendParts(parts);
  return [
    identify(metrics.apiKeyLastUsed),
    auth(),
    batchBody(),
    sendItems({
      letThroughOnce: onceForEachKey(idempotencyParts),
      itemLayers: [checkFields(), ...fromGateOn],
      observeItem: itemObserver(metrics, log),
      sizes: metrics.batchSizes,
    }),
  ];
}

/** What a single request and an item of a batch have in common: the parts of idempotency, and the layers from the gate on. */
function sendParts(parts: PipelineParts) {
  const { env, redis, scripts, settlement, publisher, metrics, log } = parts;
  const { clock } = redis;
  const names = keyNames(env.REDIS_MODE, env.QUOTA_PREFIX);
  const ttlSeconds = env.IDEMPOTENCY_TTL_SECONDS;
  const timeoutMs = env.REDIS_TIMEOUT_MS;
  const waited = metrics.idempotency.kept({ outcome: 'waited' });
  const admission = new Admission({
    scripts,
    routes: redis,
    settlement,
    trackingIds: new TrackingIds(env.TRACKING_ID_SECRET, ttlSeconds),
    onWait: () => waited.inc(),
    timeoutMs,
    leaseMs: leaseMs(env),
    ttlSeconds,
    names,
    strict: env.IDEMPOTENCY_MISMATCH === 'reject',
  });
  const idempotencyParts = { admission, settlement, clock, names, metrics, log, ttlSeconds, timeoutMs };
  const fromGateOn: readonly SendLayer[] = [
    providerGate({ enabled: env.PROVIDER_GATE_ENABLED }),
    quota({
      admission,
      settlement,
      publisher,
      timeoutMs,
      throttled: metrics.throttled,
      overShare: metrics.overShare,
    }),
    publish({
      publisher,
      target: { queue: env.RABBITMQ_OUTBOUND_QUEUE, serviceName: env.SERVICE_NAME },
      timeoutMs: env.PUBLISH_TIMEOUT_MS,
      overShare: metrics.overShare,
    }),
  ];
  return { idempotencyParts, fromGateOn };
}

/** Layers of the question what is known of a key, behind {@link everyRequest}. */
export function keyRequest({ env, scripts, metrics }: PipelineParts): Layer[] {
  return [
    identify(metrics.apiKeyLastUsed),
    auth(),
    lookUp({
      scripts,
      names: keyNames(env.REDIS_MODE, env.QUOTA_PREFIX),
      lives: livesOfRecords(env.IDEMPOTENCY_TTL_SECONDS, leaseMs(env)),
      timeoutMs: env.REDIS_TIMEOUT_MS,
    }),
  ];
}
