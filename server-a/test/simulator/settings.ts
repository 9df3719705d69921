/** The configurations of simulated gateways: the environment, and the clients and providers in force at a time. */
import { type Config, loadConfig } from '../../src/config/load.js';
import { type Registry, readRegistry } from '../../src/config/registry.js';

/** API keys of the simulated clients. */
export const CLIENTS = {
  keyed: 'api-key-of-the-keyed',
  unkeyed: 'api-key-of-the-unkeyed',
  off: 'api-key-off',
};

/** Units a day of the unkeyed client: fewer than some histories ask for. */
const UNKEYED_QUOTA = 4;

/** What a history sets for all of its gateways. */
export interface HistorySettings {
  readonly ttlSeconds: number;
  readonly mismatch: 'replay' | 'reject';
  readonly redisTimeoutMs: number;
  readonly publishTimeoutMs: number;
  readonly maxInFlight: number;
}

/** What a reload changes. */
export interface RegistryState {
  /** Units a day of the keyed client. */
  readonly quota: number;
  /** New messages a second of the keyed client; undefined = as many as come. */
  readonly perSecond: number | undefined;
  /** Availability of the providers Alpha and Beta. */
  readonly alpha: boolean;
  readonly beta: boolean;
}

const registries = new Map<string, Registry>();

/** Returns the clients and providers of a state. */
export function registryOf({ quota, perSecond, alpha, beta }: RegistryState): Registry {
  const name = `${quota} ${perSecond} ${alpha} ${beta}`;
  const known = registries.get(name);
  if (known !== undefined) return known;
  const registry = readRegistry(
    clientConfig(quota, perSecond),
    providersConfig(alpha, beta),
    ({ path, message }) => {
      throw new Error(`${path} ${message}`);
    },
  );
  if (registry === undefined) throw new Error('no registry');
  registries.set(name, registry);
  return registry;
}

function clientConfig(quota: number, perSecond?: number): string {
  return JSON.stringify({
    [CLIENTS.keyed]: { name: 'Keyed', is_active: true, daily_quota: quota, max_per_second: perSecond },
    [CLIENTS.unkeyed]: { name: 'Unkeyed', is_active: true, daily_quota: UNKEYED_QUOTA },
    [CLIENTS.off]: { name: 'Off', is_active: false, daily_quota: 1_000_000 },
  });
}

function providersConfig(alpha: boolean, beta: boolean): string {
  return JSON.stringify({
    Alpha: { is_active: true, is_operational: alpha, aliases: ['first'] },
    Beta: { is_active: beta, is_operational: true },
    Gamma: { is_active: false, is_operational: true },
  });
}

const configs = new Map<string, Config>();

/** Returns the configuration of a history's gateways. */
export function configOf(settings: HistorySettings): Config {
  const name = JSON.stringify(settings);
  const known = configs.get(name);
  if (known !== undefined) return known;
  const config = loadConfig({
    IDEMPOTENCY_TTL_SECONDS: String(settings.ttlSeconds),
    IDEMPOTENCY_MISMATCH: settings.mismatch,
    REDIS_TIMEOUT_MS: String(settings.redisTimeoutMs),
    PUBLISH_TIMEOUT_MS: String(settings.publishTimeoutMs),
    MAX_IN_FLIGHT: String(settings.maxInFlight),
    TRACKING_ID_SECRET: 'the simulator has no secrets',
    CLIENT_CONFIG: clientConfig(1),
    PROVIDERS_CONFIG: providersConfig(true, true),
  });
  configs.set(name, config);
  return config;
}
