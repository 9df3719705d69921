/** The configuration as an operator wants to see it: everything that decides, and no secret. */
import { deadLetterQueue } from '../rabbitmq/topology.js';
import type { Config } from './load.js';
import type { Client, Fingerprints, Provider, Registry } from './registry.js';
import { certificatesIn, type TlsFiles } from './tls.js';
import { asksForTls, withoutCredentials } from './urls.js';

/** A list of which not all may be shown. */
export interface Listed<T> {
  readonly total: number;
  readonly listed: readonly T[];
  /** How many more there are; total = listed + not listed. */
  readonly not_listed: number;
}

/** A client; its id is not here, for it can be an API key. */
export interface ClientSummary {
  readonly name: string;
  /** Its API key, masked as in every log line; several are separated by commas, each with its end if it has one. */
  readonly masked_key: string;
  readonly active: boolean;
  readonly daily_quota: number;
  /** Absent where the client has none. */
  readonly max_per_second?: number;
}

/** A provider with its states. */
export interface ProviderSummary {
  readonly name: string;
  readonly active: boolean;
  readonly operational: boolean;
  readonly aliases: Listed<string>;
}

/** A certificate of a file. */
export interface CertificateSummary {
  readonly subject: string;
  /** ISO 8601. */
  readonly valid_until: string;
}

/** Where a service is, and how it is reached. */
export interface ServiceSummary {
  /** Without user, password and parameters; several are separated by commas. */
  readonly url: string;
  /** Absent where the connection is not encrypted. */
  readonly tls?: {
    /** Empty: the authorities that Node.js trusts. */
    readonly authorities: readonly CertificateSummary[];
    /** Absent: none is shown to the server. */
    readonly client_certificate?: CertificateSummary;
  };
}

/** What {@link configSummary} returns. Names are those of log fields. */
export interface ConfigSummary {
  readonly service: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    /** Absent where the operators' routes are on the senders' port. */
    readonly operations_port?: number;
  };
  readonly clients: Listed<ClientSummary> & { readonly active: number };
  readonly providers: Listed<ProviderSummary> & { readonly available: number };
  readonly config_fingerprint: Fingerprints;
  readonly redis: ServiceSummary & {
    readonly mode: string;
    /** With `sentinel`: what the sentinels are asked for. */
    readonly master?: string;
  };
  readonly rabbitmq: ServiceSummary;
  readonly queues: {
    readonly outbound: string;
    readonly dead_letters: string;
    readonly heartbeat: string;
    /** Of the outbound queue and its dead letters. */
    readonly type: string;
  };
  /** The other variables, by their names in lower case. */
  readonly limits: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Sums a configuration up, without secrets: API keys masked, URLs without credentials.
 *
 * @param most items of a list that are shown; all, if not given
 */
export function configSummary(
  { env, registry, redisTls, rabbitmqTls }: Config,
  most = Number.POSITIVE_INFINITY,
): ConfigSummary {
  const keys = maskedKeys(registry);
  return {
    service: {
      name: env.SERVICE_NAME,
      host: env.SERVER_A_HOST,
      port: env.SERVER_A_PORT,
      ...(env.OPERATIONS_PORT !== undefined && { operations_port: env.OPERATIONS_PORT }),
    },
    clients: {
      ...listed(registry.clients, most, (client) => clientSummary(client, keys.get(client))),
      active: registry.clients.filter(({ isActive }) => isActive).length,
    },
    providers: {
      ...listed(registry.providers, most, (provider) => providerSummary(provider, most)),
      available: registry.providers.filter(({ isAvailable }) => isAvailable).length,
    },
    config_fingerprint: registry.fingerprints,
    redis: {
      mode: env.REDIS_MODE,
      ...(env.REDIS_MODE === 'sentinel' && { master: env.REDIS_SENTINEL_MASTER }),
      ...serviceSummary(env.REDIS_URL, redisTls),
    },
    rabbitmq: serviceSummary(env.RABBITMQ_URL, rabbitmqTls),
    queues: {
      outbound: env.RABBITMQ_OUTBOUND_QUEUE,
      dead_letters: deadLetterQueue(env.RABBITMQ_OUTBOUND_QUEUE),
      heartbeat: env.RABBITMQ_HEARTBEAT_QUEUE,
      type: env.RABBITMQ_QUEUE_TYPE,
    },
    limits: {
      provider_gate_enabled: env.PROVIDER_GATE_ENABLED,
      idempotency_ttl_seconds: env.IDEMPOTENCY_TTL_SECONDS,
      idempotency_mismatch: env.IDEMPOTENCY_MISMATCH,
      quota_prefix: env.QUOTA_PREFIX,
      heartbeat_interval_seconds: env.HEARTBEAT_INTERVAL_SECONDS,
      publish_timeout_ms: env.PUBLISH_TIMEOUT_MS,
      redis_timeout_ms: env.REDIS_TIMEOUT_MS,
      max_in_flight: env.MAX_IN_FLIGHT,
      shutdown_delay_ms: env.SHUTDOWN_DELAY_MS,
      max_connections: env.MAX_CONNECTIONS,
      shutdown_timeout_ms: env.SHUTDOWN_TIMEOUT_MS,
      log_level: env.LOG_LEVEL,
    },
  };
}

function listed<Item, Shown>(
  items: readonly Item[],
  most: number,
  show: (item: Item) => Shown,
): Listed<Shown> {
  const shown = items.slice(0, most).map(show);
  return { total: items.length, listed: shown, not_listed: items.length - shown.length };
}

/** Returns the API keys of each client, masked. */
function maskedKeys({ apiKeysByHash }: Registry): Map<Client, string[]> {
  const keys = new Map<Client, string[]>();
  for (const { client, maskedKey, notAfterMs } of apiKeysByHash.values()) {
    const end = notAfterMs === undefined ? '' : ` (until ${new Date(notAfterMs).toISOString()})`;
    const others = keys.get(client);
    if (others === undefined) keys.set(client, [maskedKey + end]);
    else others.push(maskedKey + end);
  }
  return keys;
}

function clientSummary(
  { name, isActive, dailyQuota, maxPerSecond }: Client,
  maskedKeys: readonly string[] = [],
): ClientSummary {
  return {
    name,
    masked_key: maskedKeys.join(', '),
    active: isActive,
    daily_quota: dailyQuota,
    ...(maxPerSecond !== undefined && { max_per_second: maxPerSecond }),
  };
}

function providerSummary({ name, isActive, isOperational, aliases }: Provider, most: number) {
  return {
    name,
    active: isActive,
    operational: isOperational,
    aliases: listed(aliases, most, (alias) => alias),
  };
}

function serviceSummary(url: string, { ca, cert }: TlsFiles): ServiceSummary {
  const shown = withoutCredentials(url);
  if (!asksForTls(url)) return { url: shown };
  const [own] = cert === undefined ? [] : certificateSummaries(cert);
  return {
    url: shown,
    tls: {
      authorities: ca === undefined ? [] : certificateSummaries(ca),
      ...(own !== undefined && { client_certificate: own }),
    },
  };
}

function certificateSummaries(pem: Buffer): CertificateSummary[] {
  return certificatesIn(pem).map(({ subject, validTo }) => ({
    // OpenSSL puts each part of a subject on a line of its own; a certificate without a subject has none.
    subject: (subject ?? '').replaceAll('\n', ', '),
    valid_until: new Date(validTo).toISOString(),
  }));
}
