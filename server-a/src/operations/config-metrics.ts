/** The gauges that say what the process is and by what it judges: set once, or once a reload. */
import type { Build } from '../build.js';
import type { Environment } from '../config/environment.js';
import type { ApiKey, Client, Registry } from '../config/registry.js';
import { vhostOf } from '../config/urls.js';
import { FINGERPRINT_KINDS, type Metrics } from '../metrics.js';
import { deadLetterQueue } from '../rabbitmq/topology.js';

/** Sets the gauges that stay as they are while the process lives. */
export function describeProcess(
  metrics: Pick<Metrics, 'buildInfo' | 'queueInfo'>,
  env: Pick<Environment, 'RABBITMQ_URL' | 'RABBITMQ_OUTBOUND_QUEUE' | 'RABBITMQ_HEARTBEAT_QUEUE'>,
  { version, commit }: Build,
): void {
  metrics.buildInfo.set({ version, commit, node: process.version }, 1);
  const vhost = vhostOf(env.RABBITMQ_URL);
  const outbound = env.RABBITMQ_OUTBOUND_QUEUE;
  metrics.queueInfo.set({ part: 'outbound', queue: outbound, vhost }, 1);
  metrics.queueInfo.set({ part: 'dead_letters', queue: deadLetterQueue(outbound), vhost }, 1);
  metrics.queueInfo.set({ part: 'heartbeat', queue: env.RABBITMQ_HEARTBEAT_QUEUE, vhost }, 1);
}

/** Sets the gauges that describe clients and providers; call again after a reload. */
export function describeRegistry(metrics: Metrics, registry: Registry): void {
  const { providers, fingerprints } = registry;
  metrics.providersConfigTotal.set(providers.length);
  metrics.providerActive.reset();
  metrics.providerOperational.reset();
  metrics.configInfo.reset();
  for (const provider of providers) {
    metrics.providerActive.set({ provider: provider.name }, provider.isActive ? 1 : 0);
    metrics.providerOperational.set({ provider: provider.name }, provider.isOperational ? 1 : 0);
  }
  metrics.configInfo.set({ clients: fingerprints.clients, providers: fingerprints.providers }, 1);
  describeApiKeys(metrics, registry);
  // An alert on these series needs them from the start.
  for (const kind of FINGERPRINT_KINDS) metrics.configFingerprintMismatch.inc({ kind }, 0);
}

/**
 * Says until when the keys are good that end, and which ones are of a client with several; forgets the last use of those
 * that are no longer configured.
 */
function describeApiKeys(
  {
    apiKeyLastUsed,
    apiKeyNotAfter,
    apiKeyOfSeveral,
  }: Pick<Metrics, 'apiKeyLastUsed' | 'apiKeyNotAfter' | 'apiKeyOfSeveral'>,
  { apiKeysByHash }: Registry,
): void {
  const known = new Set<string>();
  /** Keys that look alike share a series, so they count once. */
  const shown = new Map<Client, Map<string, ApiKey['labels']>>();
  apiKeyNotAfter.reset();
  apiKeyOfSeveral.reset();
  for (const { client, labels, notAfterMs } of apiKeysByHash.values()) {
    known.add(`${labels.client}\0${labels.api_key}`);
    if (notAfterMs !== undefined) apiKeyNotAfter.set(labels, notAfterMs / 1000);
    shown.set(client, (shown.get(client) ?? new Map()).set(labels.api_key, labels));
  }
  for (const keys of shown.values()) {
    if (keys.size > 1) for (const labels of keys.values()) apiKeyOfSeveral.set(labels, 1);
  }
  for (const { labels } of [...apiKeyLastUsed.series()]) {
    if (!known.has(`${labels['client']}\0${labels['api_key']}`)) apiKeyLastUsed.remove(labels);
  }
}
