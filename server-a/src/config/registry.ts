/**
 * Clients and providers: what CLIENT_CONFIG and PROVIDERS_CONFIG say, checked, fingerprinted and indexed once so that
 * a request only looks things up.
 */
import { createHash, hash } from 'node:crypto';
import * as yup from 'yup';
import { maskApiKey } from '../logging.js';
import type { ConfigFault } from './faults.js';

/** A registered client. */
export interface Client {
  /** The API key itself; never logged. */
  readonly key: string;
  /** The API key, masked for logs. */
  readonly maskedKey: string;
  /** Name for metrics and summaries. */
  readonly name: string;
  readonly isActive: boolean;
  /** Messages a UTC day. */
  readonly dailyQuota: number;
}

/** A provider as configured. */
export interface Provider {
  readonly name: string;
  readonly isActive: boolean;
  readonly isOperational: boolean;
  /** Both of the above: the gate lets messages for it through. */
  readonly isAvailable: boolean;
  readonly aliases: readonly string[];
}

/** SHA-256 (hex) of the raw JSON strings, for Server B to compare with its own. */
export interface Fingerprints {
  readonly clients: string;
  readonly providers: string;
}

/** One consistent state of clients and providers; swapped whole. */
export interface Registry {
  /** Clients by SHA-256 (hex) of their key: the time of a look-up tells nothing of a key. */
  readonly clientsByKeyHash: ReadonlyMap<string, Client>;
  readonly clients: readonly Client[];
  readonly providers: readonly Provider[];
  /** Providers by lower-case name and alias. */
  readonly providersByName: ReadonlyMap<string, Provider>;
  readonly anyProviderAvailable: boolean;
  readonly fingerprints: Fingerprints;
}

/** Holds the state in force; a reload replaces `current`. */
export interface RegistryHolder {
  current: Registry;
}

/** Returns the name under which a client's key is kept. */
export function hashApiKey(key: string): string {
  return hash('sha256', key);
}

/** Not the fields themselves: where clients are nested one level too deep, they are API keys. */
const UNKNOWN_CLIENT_FIELD = 'has unknown fields; known are name, is_active and daily_quota';
const UNKNOWN_PROVIDER_FIELD = 'has unknown fields: $' + '{unknown}';

const clientSchema = yup
  .object({
    name: yup
      .string()
      .defined('is required')
      .trim('must not begin or end with a space')
      .min(1, 'must not be empty')
      .max(200, 'must have at most 200 characters')
      .typeError('must be a string'),
    is_active: yup.boolean().defined('is required').typeError('must be true or false'),
    daily_quota: yup
      .number()
      .defined('is required')
      .typeError('must be a whole number')
      .integer('must be a whole number')
      .min(0, 'must be 0 or more')
      .max(Number.MAX_SAFE_INTEGER, 'is too large'),
  })
  .typeError('must be an object')
  .noUnknown(UNKNOWN_CLIENT_FIELD);

const providerName = yup
  .string()
  .defined()
  .typeError('must be a string')
  .trim('must not begin or end with a space')
  .min(1, 'must not be empty')
  .max(100, 'must have at most 100 characters');

const providerSchema = yup
  .object({
    is_active: yup.boolean().defined('is required').typeError('must be true or false'),
    is_operational: yup.boolean().defined('is required').typeError('must be true or false'),
    aliases: yup.array().of(providerName).typeError('must be a list of names'),
    note: yup.string().typeError('must be a string'),
  })
  .typeError('must be an object')
  .noUnknown(UNKNOWN_PROVIDER_FIELD);

/** An API key's form: a ':' or a space would let two clients share a Redis key; a header carries visible ASCII only. */
const API_KEY = /^[\x21-\x39\x3b-\x7e]{1,255}$/;

/**
 * Reads both JSON texts.
 *
 * @param add receives every fault; API keys are named by their place in the object, never by themselves
 * @returns undefined when there was a fault
 */
export function readRegistry(
  clientConfig: string | undefined,
  providersConfig: string | undefined,
  add: (fault: ConfigFault) => void,
): Registry | undefined {
  const clients = readClients(clientConfig, add);
  const providers = readProviders(providersConfig, add);
  if (clients === undefined || providers === undefined) return undefined;
  return {
    clients,
    clientsByKeyHash: new Map(clients.map((client) => [hashApiKey(client.key), client])),
    providers: providers.list,
    providersByName: providers.byName,
    anyProviderAvailable: providers.list.some((provider) => provider.isAvailable),
    fingerprints: { clients: sha256(clientConfig ?? ''), providers: sha256(providersConfig ?? '') },
  };
}

const sha256 = (raw: string): string => createHash('sha256').update(raw, 'utf8').digest('hex');

function readClients(raw: string | undefined, add: (fault: ConfigFault) => void): Client[] | undefined {
  const report = faultReporter('CLIENT_CONFIG', add);
  const entries = readEntries(raw, report);
  const clients: Client[] = [];
  entries?.forEach(([key, value], index) => {
    const path = `[client ${index + 1}]`;
    if (!API_KEY.test(key)) {
      report(path, 'has an API key that is not 1 to 255 visible ASCII characters without ":"');
    }
    const checked = check(clientSchema, value, path, report);
    if (checked === undefined) return;
    clients.push({
      key,
      maskedKey: maskApiKey(key),
      name: checked.name,
      isActive: checked.is_active,
      dailyQuota: checked.daily_quota,
    });
  });
  return report.count === 0 ? clients : undefined;
}

function readProviders(
  raw: string | undefined,
  add: (fault: ConfigFault) => void,
): { list: Provider[]; byName: Map<string, Provider> } | undefined {
  const report = faultReporter('PROVIDERS_CONFIG', add);
  const entries = readEntries(raw, report);
  const list: Provider[] = [];
  for (const [index, [name, value]] of (entries ?? []).entries()) {
    const path = isClient(value) ? `[provider ${index + 1}]` : `[${JSON.stringify(name)}]`;
    check(providerName, name, `${path} name`, report);
    const checked = check(providerSchema, value, path, report);
    if (checked === undefined) continue;
    list.push({
      name,
      isActive: checked.is_active,
      isOperational: checked.is_operational,
      isAvailable: checked.is_active && checked.is_operational,
      aliases: checked.aliases ?? [],
    });
  }
  return { list, byName: indexNames(list, report) };
}

/** True for what belongs in CLIENT_CONFIG: where the two are mixed up, the name is an API key, and must not be shown. */
function isClient(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'daily_quota' in value;
}

/** Indexes names and aliases without regard to case; a name that two providers claim is a fault. */
function indexNames(list: readonly Provider[], report: FaultReporter): Map<string, Provider> {
  const byName = new Map<string, Provider>();
  const claim = (provider: Provider, name: string, path: string): void => {
    const holder = byName.get(name.toLowerCase());
    if (holder !== undefined && holder !== provider) {
      report(path, `${JSON.stringify(name)} already means ${JSON.stringify(holder.name)} (case is ignored)`);
      return;
    }
    byName.set(name.toLowerCase(), provider);
  };
  // Names before aliases: an alias that equals another provider's name is the alias's fault.
  for (const provider of list) claim(provider, provider.name, `[${JSON.stringify(provider.name)}] name`);
  for (const provider of list) {
    provider.aliases.forEach((alias, index) => {
      claim(provider, alias, `[${JSON.stringify(provider.name)}].aliases[${index}]`);
    });
  }
  return byName;
}

interface FaultReporter {
  (path: string, message: string): void;
  count: number;
}

function faultReporter(variable: string, add: (fault: ConfigFault) => void): FaultReporter {
  const report: FaultReporter = (path, message) => {
    report.count += 1;
    add({ variable, path, message });
  };
  report.count = 0;
  return report;
}

function readEntries(raw: string | undefined, report: FaultReporter): [string, unknown][] | undefined {
  if (raw === undefined || raw.trim() === '') {
    report('', 'is required: a JSON object');
    return undefined;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch {
    // The parser's own words quote the text, and with it a key.
    report('', 'is not valid JSON');
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    report('', 'must be a JSON object');
    return undefined;
  }
  return Object.entries(parsed);
}

function check<T>(schema: yup.Schema<T>, value: unknown, path: string, report: FaultReporter): T | undefined {
  try {
    return schema.validateSync(value, { strict: true, abortEarly: false });
  } catch (error) {
    if (!yup.ValidationError.isError(error)) throw error;
    const faults = error.inner.length > 0 ? error.inner : [error];
    for (const fault of faults) {
      const place = fault.path ? (fault.path.startsWith('[') ? fault.path : `.${fault.path}`) : '';
      report(`${path}${place}`, fault.message);
    }
    return undefined;
  }
}
