/**
 * Clients and providers: what CLIENT_CONFIG and PROVIDERS_CONFIG say, checked, fingerprinted and indexed once so that
 * a request only looks things up.
 */
import { hash } from 'node:crypto';
import { hashApiKey } from './api-key.js';
import { type ApiKey, type Client, readClients } from './clients.js';
import type { AddFault, ConfigFault } from './faults.js';
import { type Provider, readProviders } from './providers.js';

export type { ApiKey, Client, Sender } from './clients.js';
export type { Provider } from './providers.js';
export { hashApiKey };

/** SHA-256 (hex) of the raw JSON strings, for Server B to compare with its own. */
export interface Fingerprints {
  readonly clients: string;
  readonly providers: string;
}

/** One consistent state of clients and providers; swapped whole. */
export interface Registry {
  /** API keys by their SHA-256 (hex): the time of a look-up tells nothing of a key. */
  readonly apiKeysByHash: ReadonlyMap<string, ApiKey>;
  readonly clients: readonly Client[];
  readonly providers: readonly Provider[];
  /** Providers by lower-case name and alias. */
  readonly providersByName: ReadonlyMap<string, Provider>;
  readonly anyProviderAvailable: boolean;
  readonly fingerprints: Fingerprints;
  /** Where a name comes twice in one of the two texts, so that only the last one counts. */
  readonly repeated: readonly ConfigFault[];
}

/** Holds the state in force; a reload replaces `current`. */
export interface RegistryHolder {
  current: Registry;
}

/**
 * Reads both JSON texts.
 *
 * @param add receives every fault; API keys are named by their place in the object, never by themselves
 * @returns undefined when there was a fault
 */
export function readRegistry(
  clientConfig: string | undefined,
  providersConfig: string | undefined,
  add: AddFault,
): Registry | undefined {
  const clients = readClients(clientConfig, add);
  const apiKeys = namesIn(clientConfig);
  const providers = readProviders(providersConfig, (text) => apiKeys.has(text), add);
  if (clients === undefined || providers === undefined) return undefined;
  return {
    clients: clients.clients,
    apiKeysByHash: clients.apiKeysByHash,
    providers: providers.list,
    providersByName: providers.byName,
    anyProviderAvailable: providers.list.some((provider) => provider.isAvailable),
    fingerprints: { clients: sha256(clientConfig ?? ''), providers: sha256(providersConfig ?? '') },
    repeated: [...clients.repeated, ...providers.repeated],
  };
}

/** Names of the members of a JSON object, valid as a configuration or not. */
function namesIn(raw = ''): ReadonlySet<string> {
  try {
    return new Set(Object.keys(Object(JSON.parse(raw))));
  } catch {
    return new Set();
  }
}

const sha256 = (raw: string): string => hash('sha256', raw);
