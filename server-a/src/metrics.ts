/**
 * The metric catalogue: every series that Server A exposes. The README's tables are made from it by
 * `make docs`.
 * Labels carry client names, never keys.
 *
 * Over 250 lines: one catalogue, of which the README's tables are made.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry as PromRegistry } from 'prom-client';
import { FAULT_REASONS } from './http/faults.js';
import { DurationSummary } from './operations/duration-summary.js';
import { SeriesCounter, SeriesGauge } from './operations/metric-series.js';

/** How a send request ended, as the `outcome` label: accepted, replayed, aborted, or the error code in lower case. */
export type RequestOutcome = 'accepted' | 'replayed' | 'aborted' | Lowercase<string>;

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

/** What comes of reading the configuration anew, as the `outcome` label. */
export const RELOAD_OUTCOMES = ['applied', 'unchanged', 'refused'] as const;

/** What came of reading the configuration anew. */
export type ReloadOutcome = (typeof RELOAD_OUTCOMES)[number];

/** What becomes of a heartbeat, as the `outcome` label. */
const HEARTBEAT_OUTCOMES = ['sent', 'failed'] as const;

/** The two halves of the configuration that have a fingerprint, as the `kind` label. */
export const FINGERPRINT_KINDS = ['clients', 'providers'] as const;

/** Values that labels can have, in Markdown or as a list, for the README. */
export const LABEL_VALUES: readonly {
  readonly label: string;
  /** Metric that it is a label of; undefined = of all that have it. */
  readonly of?: string;
  readonly values: string | readonly string[];
}[] = [
  {
    label: 'client',
    values: "the client's `name`; `unknown` for an API key that is not registered",
  },
  { label: 'api_key', values: 'the API key, masked as in the log' },
  { label: 'kind', of: 'sms_config_fingerprint_mismatch_total', values: FINGERPRINT_KINDS },
  {
    label: 'outcome',
    of: 'sms_send_requests_total',
    values: '`accepted`, `replayed`, `aborted`, or the error code in lower case',
  },
  { label: 'outcome', of: 'sms_publish_total', values: PUBLISH_RESULTS },
  { label: 'outcome', of: 'sms_idempotency_total', values: IDEMPOTENCY_OUTCOMES },
  { label: 'outcome', of: 'sms_heartbeats_total', values: HEARTBEAT_OUTCOMES },
  { label: 'outcome', of: 'sms_config_reloads_total', values: RELOAD_OUTCOMES },
  { label: 'reason', of: 'sms_http_refusals_total', values: FAULT_REASONS },
  { label: 'service', of: 'sms_dependency_ready', values: ['redis', 'rabbitmq'] },
  {
    label: 'service',
    of: 'sms_tls_certificate_expiry_timestamp_seconds',
    values: ['redis', 'rabbitmq'],
  },
  {
    label: 'certificate',
    of: 'sms_tls_certificate_expiry_timestamp_seconds',
    values: '`authority`, `client` (both of the files), `server` (what the server shows)',
  },
  { label: 'part', of: 'sms_queue_info', values: ['outbound', 'dead_letters', 'heartbeat'] },
];

/** Quantiles of the summary. */
const PERCENTILES = [0.5, 0.9, 0.99, 0.999];
/** Quantiles look back one to two minutes: they follow the day. */
const WINDOW_MS = 60_000;

/**
 * Upper bounds of the histogram of answers, in seconds. 0.5 is the objective's limit, 3 the longest answer that is
 * promised; below, a request takes some milliseconds.
 */
const ANSWER_BUCKETS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3];

/** Upper bounds of the histogram of batch sizes, in items; a batch has 100 at the most. */
const BATCH_BUCKETS = [1, 2, 5, 10, 20, 50, 100];

/** The client label of a request whose key is not registered. */
export const UNKNOWN_CLIENT = 'unknown';

/**
 * Makes all metrics on a registry of their own. What is counted at every request is a SeriesCounter: its kept series are
 * counted with at a tenth of what a Counter costs, which makes a text of its labels each time.
 */
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
    rejectedUnknownProvider: new SeriesCounter({
      name: 'sms_request_rejected_unknown_provider_total',
      help: 'Requests rejected with UNKNOWN_PROVIDER',
      labelNames: ['client'],
      registers,
    }),
    rejectedProviderDisabled: new SeriesCounter({
      name: 'sms_request_rejected_provider_disabled_total',
      help: 'Requests rejected with PROVIDER_DISABLED or ALL_PROVIDERS_DISABLED, once for each provider they named',
      labelNames: ['client', 'provider'],
      registers,
    }),
    throttled: new SeriesCounter({
      name: 'sms_request_throttled_total',
      help: 'Requests refused because of max_per_second of their client',
      labelNames: ['client'],
      registers,
    }),
    overShare: new SeriesCounter({
      name: 'sms_request_over_share_total',
      help: 'Requests refused because their client held its share of MAX_IN_FLIGHT',
      labelNames: ['client'],
      registers,
    }),
    refusalsNotStored: new SeriesCounter({
      name: 'sms_request_refusal_not_stored_total',
      help: 'Refusals that were not stored for their key, because their client has as many stored as it may',
      labelNames: ['client'],
      registers,
    }),
    rejectedNoProviderAvailable: new SeriesCounter({
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
    requests: new SeriesCounter({
      name: 'sms_send_requests_total',
      help: 'Answers of the send endpoint and items of batches, by client name and outcome',
      labelNames: ['client', 'outcome'],
      registers,
    }),
    batchSizes: new Histogram({
      name: 'sms_batch_items',
      help: 'Items of each batch that was not refused as a whole',
      buckets: BATCH_BUCKETS,
      registers,
    }),
    otherRequests: new Counter({
      name: 'sms_other_requests_total',
      help: 'Answers at all other paths, by status',
      labelNames: ['status'],
      registers,
    }),
    httpRefusals: new Counter({
      name: 'sms_http_refusals_total',
      help: 'Requests and connections refused before any layer, by reason, and status of the answer or none',
      labelNames: ['reason', 'status'],
      registers,
    }),
    connections: new Gauge({
      name: 'sms_http_connections',
      help: 'Open connections of senders',
      registers,
    }),
    connectionsLimit: new Gauge({
      name: 'sms_http_connections_limit',
      help: 'MAX_CONNECTIONS, or what the limit of open files leaves of it',
      registers,
    }),
    connectionsDropped: new Counter({
      name: 'sms_http_connections_dropped_total',
      help: 'Connections closed as they came because there were too many',
      registers,
    }),
    requestDuration: requestDuration(registers),
    publishes: new SeriesCounter({
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
    idempotency: new SeriesCounter({
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
    heartbeatLastSent: new Gauge({
      name: 'sms_heartbeat_last_sent_timestamp_seconds',
      help: 'When the last heartbeat was confirmed, in seconds since 1970; 0 = none yet',
      registers,
    }),
    heartbeatInterval: new Gauge({
      name: 'sms_heartbeat_interval_seconds',
      help: 'HEARTBEAT_INTERVAL_SECONDS',
      registers,
    }),
    rabbitmqBlocked: new Gauge({
      name: 'sms_rabbitmq_blocked',
      help: '1 while the broker takes no messages (memory or disk alarm)',
      registers,
    }),
    quotaUsed: new SeriesGauge({
      name: 'sms_quota_used',
      help: "Units of today's quota that an active client has used",
      labelNames: ['client'],
      registers,
    }),
    quotaLimit: new SeriesGauge({
      name: 'sms_quota_limit',
      help: "An active client's daily quota",
      labelNames: ['client'],
      registers,
    }),
    apiKeyLastUsed: new SeriesGauge({
      name: 'sms_api_key_last_used_timestamp_seconds',
      help: 'When a request last showed the API key, good or expired, in seconds since 1970; absent = not since the start',
      labelNames: ['client', 'api_key'],
      registers,
    }),
    apiKeyNotAfter: new SeriesGauge({
      name: 'sms_api_key_not_after_timestamp_seconds',
      help: 'Until when the API key is good, in seconds since 1970; only of keys that end',
      labelNames: ['client', 'api_key'],
      registers,
    }),
    apiKeyOfSeveral: new SeriesGauge({
      name: 'sms_api_key_of_several',
      help: 'Always 1; one series for each API key of a client that has more than one',
      labelNames: ['client', 'api_key'],
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
    queueInfo: new Gauge({
      name: 'sms_queue_info',
      help: 'Always 1; the queues that messages go to, with their part',
      labelNames: ['part', 'queue', 'vhost'],
      registers,
    }),
    buildInfo: new Gauge({
      name: 'sms_build_info',
      help: 'Always 1; version and commit of the code, and version of Node.js',
      labelNames: ['version', 'commit', 'node'],
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'sms_tls_certificate_expiry_timestamp_seconds',
      help: 'When the first certificate of its kind ends, in seconds since 1970',
      labelNames: ['service', 'certificate'],
      registers,
    }),
  } as const;
  // Each series starts at 0: rate() misses the first increment of a series that appears with the value 1, and an alert
  // cannot watch a series that does not exist yet.
  for (const outcome of HEARTBEAT_OUTCOMES) metrics.heartbeats.inc({ outcome }, 0);
  for (const outcome of PUBLISH_RESULTS) metrics.publishes.inc({ kind: 'sms', outcome }, 0);
  for (const outcome of IDEMPOTENCY_OUTCOMES) metrics.idempotency.inc({ outcome }, 0);
  return metrics;
}

/**
 * Both forms of a request's duration, observed at once. The summary's quantiles are exact to three digits and of one replica; the
 * histogram's buckets can be added over replicas, and compared with an objective.
 */
function requestDuration(registers: PromRegistry[]): { observe(seconds: number): void } {
  const summary = new DurationSummary({
    name: 'sms_send_request_duration_seconds',
    help: 'Time from the headers of a send request or a batch to its answer, over two minutes',
    percentiles: PERCENTILES,
    windowMs: WINDOW_MS,
    registers,
  });
  const histogram = new Histogram({
    name: 'sms_send_request_time_seconds',
    help: 'The same time in buckets, which can be added over replicas',
    buckets: ANSWER_BUCKETS,
    registers,
  });
  return {
    observe(seconds) {
      summary.observe(seconds);
      histogram.observe(seconds);
    },
  };
}

/** All metrics of the process. */
export type Metrics = ReturnType<typeof createMetrics>;
