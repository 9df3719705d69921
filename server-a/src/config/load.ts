/**
 * Takes the environment's variables and the files that they name, and returns a checked
 * configuration or every fault at once.
 */
import * as yup from 'yup';
import { deadLetterQueue } from '../rabbitmq/topology.js';
import { ENVIRONMENT, type Environment, FILE_VARIABLES } from './environment.js';
import { type AddFault, ConfigError, type ConfigFault } from './faults.js';
import { readFile } from './files.js';
import { mountedByThemselves } from './mounts.js';
import { checkRedisMode } from './redis-mode.js';
import { type Registry, readRegistry } from './registry.js';
import { readTls, type TlsFiles } from './tls.js';
import type { Variables } from './variables.js';

/** The whole configuration. */
export interface Config {
  readonly env: Environment;
  /** Clients and providers as they were at the time of reading. */
  readonly registry: Registry;
  /** Files that clients and providers were read from. */
  readonly registryFiles: readonly string[];
  readonly redisTls: TlsFiles;
  readonly rabbitmqTls: TlsFiles;
  /** Files that those were read from. */
  readonly tlsFiles: readonly string[];
  /** Variables whose file is mounted by itself: one that is put in its place is never seen. */
  readonly fixedFiles: readonly string[];
}

/**
 * Reads and checks the configuration.
 *
 * @throws {ConfigError} with every fault, by variable and path; no fault quotes a key, a password or a value that
 * could hold one
 */
export function loadConfig(source: Variables): Config {
  const faults: ConfigFault[] = [];
  const add: AddFault = (fault) => void faults.push(fault);

  const { given, unread } = withFiles(source, add);
  const env = readEnvironment(given, add);
  const registry = readRegistry(given['CLIENT_CONFIG'], given['PROVIDERS_CONFIG'], (fault) => {
    // That the file cannot be read is said; that its value is missing follows from it.
    if (!unread.has(fault.variable)) add(fault);
  });
  const redisTls = readTls('REDIS', given, add);
  const rabbitmqTls = readTls('RABBITMQ', given, add);
  if (env !== undefined) {
    checkQueues(env, add);
    checkRedisMode(env, add);
  }
  if (env === undefined || registry === undefined || faults.length > 0) throw new ConfigError(faults);
  return {
    env,
    registry,
    registryFiles: filesOf(source, REGISTRY_FILES),
    redisTls,
    rabbitmqTls,
    tlsFiles: filesOf(source, TLS_FILES),
    fixedFiles: [...REGISTRY_FILES, ...TLS_FILES].filter(
      (name) => mountedByThemselves(filesOf(source, [name])).length > 0,
    ),
  };
}

/** Variables that name files which are read again while the gateway serves. */
const REGISTRY_FILES = ['CLIENT_CONFIG_FILE', 'PROVIDERS_CONFIG_FILE'];
const TLS_FILES = ['REDIS', 'RABBITMQ'].flatMap((service) =>
  ['CA', 'CERT', 'KEY'].map((part) => `${service}_TLS_${part}_FILE`),
);

function filesOf(source: Variables, names: readonly string[]): string[] {
  return names.flatMap((name) => source[name] || []);
}

/** A heartbeat among messages, or among dead letters, would be taken for one. */
function checkQueues(
  { RABBITMQ_OUTBOUND_QUEUE: outbound, RABBITMQ_HEARTBEAT_QUEUE: heartbeat }: Environment,
  add: AddFault,
) {
  if (heartbeat !== outbound && heartbeat !== deadLetterQueue(outbound)) return;
  const message = 'must differ from RABBITMQ_OUTBOUND_QUEUE and its queue of dead letters';
  add({ variable: 'RABBITMQ_HEARTBEAT_QUEUE', path: '', message });
}

/** Replaces each `<NAME>_FILE` by the content of its file, under `<NAME>`. An empty variable counts as not set. */
function withFiles(
  source: Variables,
  add: AddFault,
): { readonly given: Variables; readonly unread: ReadonlySet<string> } {
  const given: Record<string, string | undefined> = {};
  const unread = new Set<string>();
  for (const [name, value] of Object.entries(source)) if (value !== '') given[name] = value;
  for (const name of FILE_VARIABLES) {
    const path = given[`${name}_FILE`];
    if (path === undefined) continue;
    if (given[name] !== undefined) {
      add({ variable: `${name}_FILE`, path: '', message: `cannot be set together with ${name}` });
      continue;
    }
    given[name] = readFile(`${name}_FILE`, path, add)
      ?.toString('utf8')
      .replace(/\r?\n$/, '');
    if (given[name] === undefined) unread.add(name);
  }
  return { given, unread };
}

function readEnvironment(given: Variables, add: AddFault): Environment | undefined {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(ENVIRONMENT.describe().fields)) {
    const { fallback, read } = 'meta' in field ? (field.meta ?? {}) : {};
    const raw = given[name];
    values[name] = raw === undefined ? fallback : read?.(raw);
  }
  try {
    return ENVIRONMENT.validateSync(values, { strict: true, abortEarly: false });
  } catch (error) {
    if (!yup.ValidationError.isError(error)) throw error;
    for (const fault of error.inner) add({ variable: fault.path ?? '', path: '', message: fault.message });
    return undefined;
  }
}
