/**
 * The metric catalogue: every series that Server A exposes. The README's table is held to this object by a test.
 * Labels carry client names, never keys.
 */
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry as PromRegistry,
  Summary,
} from 'prom-client';
import type { Registry } from './config/registry.js';

/** How a send request ended, as the `outcome` label: accepted, replayed, or the error code in lower case. */
export type RequestOutcome = 'accepted' | 'replayed' | Lowercase<string>;

/** What becomes of a publish, as the `outcome` label. */
export const PUBLISH_RESULTS = [
  'confirmed',
  'returned',
  'nacked',
  'timed_out',
  'connection_lost',
  'refused',
] as const;

/** What became of a publish. */
export type PublishResult = (typeof PUBLISH_RESULTS)[number];

/** What the idempotency layer does, as the `outcome` label. */
export const IDEMPOTENCY_OUTCOMES = [
  'claimed',
  'replayed',
  'waited',
  'taken_over',
  'mismatch',
  'store_failed',
  'lost',
] as const;

/** What the idempotency layer did. */
export type IdempotencyOutcome = (typeof IDEMPOTENCY_OUTCOMES)[number];

/** What came of reading the configuration anew, as the `outcome` label. */
export type ReloadOutcome = 'applied' | 'unchanged' | 'refused';

/** Quantiles of the summary. */
const PERCENTILES = [0.5, 0.9, 0.99, 0.999];
/**
 * A sliding window of two minutes in two buckets: quantiles that follow the day, at two digest insertions an
 * observation (five, the usual number of buckets, cost more than the rest of the metrics together).
 */
const WINDOW = { maxAgeSeconds: 120, ageBuckets: 2, pruneAgedBuckets: false };

/** The client label of a request whose key is not registered. */
export const UNKNOWN_CLIENT = 'unknown';

/** Makes all metrics on a registry of their own. */
export function createMetrics() {
  const registry = new PromRegistry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const metrics = {
    registry,
    providersConfigTotal: new Gauge({
      name: 'sms_providers_config_total',
      help: 'Providers in the configuration',
      registers,
    }),
    providerActive: new Gauge({
      name: 'sms_provider_active',
      help: '1 if the provider is active in the configuration',
      labelNames: ['provider'],
      registers,
    }),
    providerOperational: new Gauge({
      name: 'sms_provider_operational',
      help: '1 if the provider is operational in the configuration',
      labelNames: ['provider'],
      registers,
    }),
    rejectedUnknownProvider: new Counter({
      name: 'sms_request_rejected_unknown_provider_total',
      help: 'Requests rejected with UNKNOWN_PROVIDER',
      labelNames: ['client'],
      registers,
    }),
    rejectedProviderDisabled: new Counter({
      name: 'sms_request_rejected_provider_disabled_total',
      help: 'Requests rejected with PROVIDER_DISABLED or ALL_PROVIDERS_DISABLED, once for each provider they named',
      labelNames: ['client', 'provider'],
      registers,
    }),
    rejectedNoProviderAvailable: new Counter({
      name: 'sms_request_rejected_no_provider_available_total',
      help: 'Requests rejected with NO_PROVIDER_AVAILABLE',
      labelNames: ['client'],
      registers,
    }),
    configFingerprintMismatch: new Counter({
      name: 'sms_config_fingerprint_mismatch_total',
      help: 'Fingerprints that differ from those of Server B; Server B compares, so here it stays 0',
      labelNames: ['kind'],
      registers,
    }),
    requests: new Counter({
      name: 'sms_send_requests_total',
      help: 'Answers of the send endpoint, by client name and outcome',
      labelNames: ['client', 'outcome'],
      registers,
    }),
    requestDuration: new Summary({
      name: 'sms_send_request_duration_seconds',
      help: 'Time from the headers of a send request to its answer, over two minutes',
      percentiles: PERCENTILES,
      ...WINDOW,
      registers,
    }),
    publishes: new Counter({
      name: 'sms_publish_total',
      help: 'Messages handed to RabbitMQ, by kind and outcome; refused = not sent at all',
      labelNames: ['kind', 'outcome'],
      registers,
    }),
    publishDuration: new Histogram({
      name: 'sms_publish_confirm_duration_seconds',
      help: "Time from a publish to the broker's confirm",
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    publishesInFlight: new Gauge({
      name: 'sms_publish_in_flight',
      help: 'Messages that wait for the confirm of the broker',
      registers,
    }),
    publishesInFlightLimit: new Gauge({
      name: 'sms_publish_in_flight_limit',
      help: 'MAX_IN_FLIGHT',
      registers,
    }),
    idempotency: new Counter({
      name: 'sms_idempotency_total',
      help: 'What the idempotency layer did with keyed requests',
      labelNames: ['outcome'],
      registers,
    }),
    heartbeats: new Counter({
      name: 'sms_heartbeats_total',
      help: 'Heartbeats to Server B, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    rabbitmqBlocked: new Gauge({
      name: 'sms_rabbitmq_blocked',
      help: '1 while the broker takes no messages (memory or disk alarm)',
      registers,
    }),
    quotaUsed: new Gauge({
      name: 'sms_quota_used',
      help: "Units of today's quota that an active client has used",
      labelNames: ['client'],
      registers,
    }),
    quotaLimit: new Gauge({
      name: 'sms_quota_limit',
      help: "An active client's daily quota",
      labelNames: ['client'],
      registers,
    }),
    configReloads: new Counter({
      name: 'sms_config_reloads_total',
      help: 'Times that the configuration was read anew, by what came of it',
      labelNames: ['outcome'],
      registers,
    }),
    configLastReloadSuccessful: new Gauge({
      name: 'sms_config_last_reload_successful',
      help: '0 if the configuration was refused when it was last read; the one before it is in force',
      registers,
    }),
    dependencyReady: new Gauge({
      name: 'sms_dependency_ready',
      help: '1 if the service can be used',
      labelNames: ['service'],
      registers,
    }),
    configInfo: new Gauge({
      name: 'sms_config_info',
      help: 'Always 1; the fingerprints of the configuration in force as labels',
      labelNames: ['clients', 'providers'],
      registers,
    }),
  } as const;
  // There from the start at 0: a rate does not see the first of a series that comes with a 1, nor an alert one that is not.
  for (const outcome of ['sent', 'failed']) metrics.heartbeats.inc({ outcome }, 0);
  for (const outcome of PUBLISH_RESULTS) metrics.publishes.inc({ kind: 'sms', outcome }, 0);
  for (const outcome of IDEMPOTENCY_OUTCOMES) metrics.idempotency.inc({ outcome }, 0);
  return metrics;
}

/** All metrics of the process. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Sets the gauges that describe clients and providers; call again after a reload. */
export function describeRegistry(metrics: Metrics, { providers, fingerprints }: Registry): void {
  metrics.providersConfigTotal.set(providers.length);
  metrics.providerActive.reset();
  metrics.providerOperational.reset();
  metrics.configInfo.reset();
  for (const provider of providers) {
    metrics.providerActive.set({ provider: provider.name }, provider.isActive ? 1 : 0);
    metrics.providerOperational.set({ provider: provider.name }, provider.isOperational ? 1 : 0);
  }
  metrics.configInfo.set({ clients: fingerprints.clients, providers: fingerprints.providers }, 1);
  // The kinds exist from the start, so that an alert on them has something to look at.
  for (const kind of ['clients', 'providers']) metrics.configFingerprintMismatch.inc({ kind }, 0);
}
