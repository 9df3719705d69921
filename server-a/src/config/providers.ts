/** PROVIDERS_CONFIG: which providers exist, and by which names. */
import * as yup from 'yup';
import type { AddFault, ConfigFault } from './faults.js';
import {
  check,
  type Entries,
  type FaultReporter,
  faultReporter,
  REPEATED,
  readEntries,
} from './json-entries.js';

/** A provider as configured. */
export interface Provider {
  readonly name: string;
  readonly isActive: boolean;
  readonly isOperational: boolean;
  /** Both of the above: the gate lets messages for it through. */
  readonly isAvailable: boolean;
  readonly aliases: readonly string[];
}

/** PROVIDERS_CONFIG, checked. */
export interface Providers {
  readonly list: readonly Provider[];
  /** By lower-case name and alias. */
  readonly byName: ReadonlyMap<string, Provider>;
  /** Where a name comes twice, so that only the last one counts. */
  readonly repeated: readonly ConfigFault[];
}

/** Not the fields themselves: where clients were put into this variable, they may be API keys. */
const UNKNOWN_FIELD = 'has unknown fields; known are is_active, is_operational, aliases and note';

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
  .noUnknown(UNKNOWN_FIELD);

/**
 * Reads PROVIDERS_CONFIG.
 *
 * @param isApiKey tells what no fault may show, wherever it stands
 * @returns undefined when there was a fault
 */
export function readProviders(
  raw: string | undefined,
  isApiKey: (text: string) => boolean,
  add: AddFault,
): Providers | undefined {
  const report = faultReporter('PROVIDERS_CONFIG', add);
  const read = readEntries(raw, report);
  if (read === undefined) return undefined;
  const list: Provider[] = [];
  const places = new Map<string, string>();
  read.entries.forEach(([name, value], index) => {
    const path = mayShow(name, value, isApiKey) ? `[${JSON.stringify(name)}]` : `[provider ${index + 1}]`;
    places.set(name, path);
    check(providerName, name, `${path} name`, report);
    const checked = check(providerSchema, value, path, report);
    if (checked === undefined) return;
    list.push({
      name,
      isActive: checked.is_active,
      isOperational: checked.is_operational,
      isAvailable: checked.is_active && checked.is_operational,
      aliases: checked.aliases ?? [],
    });
  });
  const byName = indexNames(list, report);
  return report.count === 0 ? { list, byName, repeated: repeatedIn(read, places) } : undefined;
}

/**
 * True for the name of something that looks like a provider. Where clients were put into this variable, the name is an
 * API key, and must not be shown.
 */
function mayShow(name: string, value: unknown, isApiKey: (text: string) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isApiKey(name)) return false;
  return !CLIENT_FIELDS.some((field) => field in value);
}

/** Fields that a client has and a provider has not. */
const CLIENT_FIELDS = ['name', 'daily_quota', 'max_per_second', 'id', 'not_after'];

/** Says where a name comes twice. */
function repeatedIn({ repeated }: Entries, places: ReadonlyMap<string, string>): ConfigFault[] {
  return repeated.map(([name, field]) => {
    const isKnown = typeof field === 'string' && field in providerSchema.fields;
    const path = `${places.get(String(name)) ?? ''}${isKnown ? `.${field}` : ''}`;
    return { variable: 'PROVIDERS_CONFIG', path, message: REPEATED };
  });
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
