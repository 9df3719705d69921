/** CLIENT_CONFIG: who may send, and with which API keys. */
import { maskApiKey } from '../logging/log.js';
import { hashApiKey, isMistyped } from './api-key.js';
import { clientSchema, IDENTITY, IDENTITY_EXPECTED } from './client-schema.js';
import type { AddFault, ConfigFault } from './faults.js';
import {
  check,
  type Entries,
  type FaultReporter,
  faultReporter,
  REPEATED,
  readEntries,
} from './json-entries.js';

/** A registered client: who sends, with whichever of its API keys. */
export interface Client {
  /**
   * What names the client's records, its counters, its tracking ids, and `client_key` in its messages. Without an `id` in
   * the configuration it is the API key; so it is never logged.
   */
  readonly id: string;
  /** Name for metrics, logs and summaries. */
  readonly name: string;
  readonly isActive: boolean;
  /** Messages a UTC day. */
  readonly dailyQuota: number;
  /** New messages a second; undefined = as many as come. */
  readonly maxPerSecond: number | undefined;
}

/** A way in: one API key of a client. */
export interface ApiKey {
  readonly client: Client;
  /** For logs: the key's beginning, or that of its SHA-256 where the configuration holds no more. */
  readonly maskedKey: string;
  /** Of its metrics: the client's name and the masked key. Keys of a client that look alike share them. */
  readonly labels: { readonly client: string; readonly api_key: string };
  /** Milliseconds since 1970 until which the key is good; undefined = for ever. */
  readonly notAfterMs: number | undefined;
  /** What looks wrong with the key itself, where the configuration holds it. */
  readonly flaw: 'short' | 'mistyped' | undefined;
}

/** Who makes a request: a client, and for logs the API key that it came with. */
export type Sender = Pick<ApiKey, 'client' | 'maskedKey'>;

/** CLIENT_CONFIG, checked. */
export interface Clients {
  readonly clients: readonly Client[];
  /** By SHA-256 (hex) of the key: the time of a look-up tells nothing of a key. */
  readonly apiKeysByHash: ReadonlyMap<string, ApiKey>;
  /** Where a name comes twice, so that only the last one counts. */
  readonly repeated: readonly ConfigFault[];
}

/** True when a key's time is over. */
export function hasExpired({ notAfterMs }: Pick<ApiKey, 'notAfterMs'>, nowMs: number): boolean {
  return notAfterMs !== undefined && nowMs > notAfterMs;
}

/** An entry's name that stands for an API key without saying it. */
const HASHED = /^sha256:([0-9a-f]{64})$/i;
/** Characters below which an API key could be guessed, at least where people choose it. */
export const SHORT_KEY = 16;
/** A name with a space in it, or short: what is neither could be a secret in the wrong place. */
const NAME = /^(?=.{1,15}$|.* )[^\p{Cc}]+$/u;
const LONGEST_SHOWN_NAME = 60;
/** Hex digits of a key's SHA-256 that are shown: enough to tell a client's keys apart. */
const SHOWN_HASH_DIGITS = 6;

/** One member of CLIENT_CONFIG. */
interface Entry extends Omit<ApiKey, 'labels'> {
  /** Place in the configuration, which stands for the API key in faults. */
  readonly path: string;
  readonly hash: string;
  /** True where the configuration gives an id. */
  readonly hasId: boolean;
}

/**
 * Reads CLIENT_CONFIG.
 *
 * @param add receives every fault; API keys are named by their place in the object, never by themselves
 * @returns undefined when there was a fault
 */
export function readClients(raw: string | undefined, add: AddFault): Clients | undefined {
  let read: Entries | undefined;
  const report = faultReporter('CLIENT_CONFIG', (fault) =>
    add(read === undefined ? fault : withName(fault, read)),
  );
  read = readEntries(raw, report);
  if (read === undefined) return undefined;
  const entries = read.entries.flatMap(
    ([name, value], index) => readEntry(name, value, `[client ${index + 1}]`, report) ?? [],
  );
  checkTogether(entries, report);
  if (report.count > 0) return undefined;
  const clients = new Map<string, Client>();
  const apiKeysByHash = new Map<string, ApiKey>();
  for (const { client, hash, maskedKey, notAfterMs, flaw } of entries) {
    // Entries of one id agree: the first stands for all of them.
    const known = clients.get(client.id) ?? client;
    clients.set(client.id, known);
    const labels = { client: known.name, api_key: maskedKey };
    apiKeysByHash.set(hash, { client: known, maskedKey, labels, notAfterMs, flaw });
  }
  return { clients: [...clients.values()], apiKeysByHash, repeated: repeatedIn(read) };
}

/** Adds the client's name to a fault of its entry, unless what stands there may be a secret in the wrong place. */
function withName(fault: ConfigFault, { entries }: Entries): ConfigFault {
  const number = Number(/^\[client (\d+)\]/.exec(fault.path)?.[1]);
  const value = entries[number - 1]?.[1];
  const given = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
  const isName =
    typeof given === 'string' &&
    given.length <= LONGEST_SHOWN_NAME &&
    NAME.test(given) &&
    !entries.some(([key]) => key === given);
  return isName ? { ...fault, client: given } : fault;
}

function readEntry(name: string, value: unknown, path: string, report: FaultReporter): Entry | undefined {
  const isHashed = /^sha256:/i.test(name);
  const givenHash = HASHED.exec(name)?.[1]?.toLowerCase();
  if (isHashed && givenHash === undefined)
    report(path, 'begins with sha256: and has not 64 hex digits behind it');
  if (!isHashed && !IDENTITY.test(name)) report(path, `has an API key that is not ${IDENTITY_EXPECTED}`);
  const checked = check(clientSchema, value, path, report);
  if (checked === undefined) return undefined;
  if (isHashed && checked.id === undefined) report(`${path}.id`, 'is required with sha256:');
  const hash = givenHash ?? hashApiKey(name);
  return {
    client: {
      id: checked.id ?? name,
      name: checked.name,
      isActive: checked.is_active,
      dailyQuota: checked.daily_quota,
      maxPerSecond: checked.max_per_second,
    },
    maskedKey: isHashed ? `sha256:${hash.slice(0, SHOWN_HASH_DIGITS)}***` : maskApiKey(name),
    notAfterMs: checked.not_after === undefined ? undefined : Date.parse(checked.not_after),
    flaw: isHashed ? undefined : flawOf(name),
    path,
    hash,
    hasId: checked.id !== undefined,
  };
}

function flawOf(key: string): ApiKey['flaw'] {
  if (isMistyped(key)) return 'mistyped';
  return key.length < SHORT_KEY ? 'short' : undefined;
}

/** What entries may not say of each other. */
function checkTogether(entries: readonly Entry[], report: FaultReporter): void {
  const byHash = new Map<string, Entry>();
  const byId = new Map<string, Entry>();
  for (const entry of entries) {
    const same = byHash.get(entry.hash);
    if (same !== undefined) report(entry.path, `has the API key of ${same.path}`);
    else byHash.set(entry.hash, entry);
    const first = byId.get(entry.client.id);
    if (first === undefined) byId.set(entry.client.id, entry);
    else if (!agree(first.client, entry.client)) {
      report(
        entry.path,
        `must have the name, is_active, daily_quota and max_per_second of ${first.path}: their id is the same`,
      );
    }
  }
  for (const { client, path, hasId } of entries) {
    const owner = hasId ? byHash.get(hashApiKey(client.id)) : undefined;
    if (owner !== undefined && owner.client.id !== client.id) {
      report(`${path}.id`, `must not be the API key of another client (${owner.path})`);
    }
  }
}

function agree(one: Client, other: Client): boolean {
  return (
    one.name === other.name &&
    one.isActive === other.isActive &&
    one.dailyQuota === other.dailyQuota &&
    one.maxPerSecond === other.maxPerSecond
  );
}

/** Says where a name comes twice, without the names that are API keys or may be. */
function repeatedIn({ entries, repeated }: Entries): ConfigFault[] {
  const places = new Map(entries.map(([name], index) => [name, `[client ${index + 1}]`]));
  return repeated.map(([name, field]) => {
    const isKnown = typeof field === 'string' && field in clientSchema.fields;
    const path = `${places.get(String(name)) ?? ''}${isKnown ? `.${field}` : ''}`;
    return { variable: 'CLIENT_CONFIG', path, message: REPEATED };
  });
}
