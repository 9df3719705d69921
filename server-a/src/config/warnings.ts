/** What is allowed in a configuration and yet looks wrong: said at the start, and no reason not to start. */
import { UNKNOWN_CLIENT } from '../metrics.js';
import { LEAST_DIVIDED } from '../rabbitmq/slots.js';
import { hashApiKey } from './api-key.js';
import { hasExpired, SHORT_KEY } from './clients.js';
import type { ConfigFault } from './faults.js';
import type { Config } from './load.js';
import { redisModeWarnings } from './redis-mode.js';
import type { ApiKey, Registry } from './registry.js';
import { certificatesIn, type TlsFiles, type TlsService } from './tls.js';
import { asksForTls, ignoredParameters, isGuest, isLoopback, namedTwice, urlsOf } from './urls.js';

type Warn = (variable: string, message: string) => void;

/** SHA-256 of the API key of .env.example. */
const EXAMPLE_KEY_HASH = hashApiKey('api_key_for_service_A');

/** Names quoted in one warning; a list of thousands would hide what it is about. */
const QUOTED_NAMES = 5;

/** Returns every warning, by variable; none holds a secret. */
export function configWarnings(config: Config, now = new Date()): ConfigFault[] {
  const warnings: ConfigFault[] = [];
  const warn: Warn = (variable, message) => void warnings.push({ variable, path: '', message });
  const { env, registry } = config;
  warnings.push(...registry.repeated);
  warnOfClients(registry, warn);
  warnOfApiKeys(registry, now, warn);
  if (registry.apiKeysByHash.has(EXAMPLE_KEY_HASH) && !isLoopback(env.SERVER_A_HOST)) {
    warn(
      'CLIENT_CONFIG',
      'has the API key of .env.example, which everybody knows, and other machines can send',
    );
  }
  if (urlsOf(env.RABBITMQ_URL).some((url) => isGuest(url) && !isLoopback(new URL(url).hostname))) {
    warn('RABBITMQ_URL', 'logs in as guest with the password that everybody knows');
  }
  if (env.PROVIDER_GATE_ENABLED && !registry.anyProviderAvailable) {
    warn('PROVIDERS_CONFIG', 'has no provider that is active and operational: every request is refused');
  }
  if (env.TRACKING_ID_SECRET === '') {
    warn('TRACKING_ID_SECRET', 'is not set: a tracking id could be used to guess a weak API key');
  }
  for (const [variable, message] of redisModeWarnings(env)) warn(variable, message);
  warnOfTls('REDIS', env.REDIS_URL, config.redisTls, now, warn);
  warnOfTls('RABBITMQ', env.RABBITMQ_URL, config.rabbitmqTls, now, warn);
  for (const variable of config.fixedFiles) {
    warn(
      variable,
      'names a file that is mounted by itself, so a changed one is never seen: mount its folder',
    );
  }
  const ignored = ignoredParameters(env.RABBITMQ_URL);
  if (ignored.length > 0) warn('RABBITMQ_URL', `has parameters that are ignored: ${quoted(ignored)}`);
  for (const variable of ['REDIS_URL', 'RABBITMQ_URL'] as const) {
    const twice = namedTwice(env[variable]);
    if (twice.length > 0) warn(variable, `names a node more than once: ${quoted(twice)}`);
  }
  if (env.MAX_IN_FLIGHT < LEAST_DIVIDED && registry.clients.length > 1) {
    warn(
      'MAX_IN_FLIGHT',
      `is under ${LEAST_DIVIDED}: one client can hold all slots, and the others are refused`,
    );
  }
  if (env.SHUTDOWN_TIMEOUT_MS < env.PUBLISH_TIMEOUT_MS) {
    warn('SHUTDOWN_TIMEOUT_MS', 'is shorter than PUBLISH_TIMEOUT_MS: a shutdown can cut off what waits');
  }
  return warnings;
}

function warnOfApiKeys({ apiKeysByHash }: Registry, now: Date, warn: Warn): void {
  const keys = [...apiKeysByHash.values()];
  const report = (chosen: readonly ApiKey[], what: string): void => {
    if (chosen.length === 0) return;
    const named = [...new Set(chosen.map(({ client }) => client.name))];
    warn('CLIENT_CONFIG', `has API keys ${what}, of ${quoted(named)}`);
  };
  const withFlaw = (flaw: ApiKey['flaw']) => keys.filter((key) => key.flaw === flaw);
  report(withFlaw('short'), `of fewer than ${SHORT_KEY} characters`);
  report(withFlaw('mistyped'), 'whose checksum is wrong');
  report(
    keys.filter((key) => hasExpired(key, now.getTime())),
    'that have expired',
  );
}

function warnOfClients({ clients }: Registry, warn: Warn): void {
  const active = clients.filter(({ isActive }) => isActive);
  if (active.length === 0) warn('CLIENT_CONFIG', 'has no active client: every request is answered 401');
  const idle = active.filter(({ dailyQuota }) => dailyQuota === 0).map(({ name }) => name);
  if (idle.length > 0) warn('CLIENT_CONFIG', `has active clients with a quota of 0: ${quoted(idle)}`);
  if (clients.some(({ name }) => name === UNKNOWN_CLIENT)) {
    warn(
      'CLIENT_CONFIG',
      `has a client "${UNKNOWN_CLIENT}", as metrics call senders without a valid API key`,
    );
  }
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of clients) (seen.has(name) ? twice : seen).add(name);
  if (twice.size > 0) {
    warn(
      'CLIENT_CONFIG',
      `has names of more than one client, which metrics count together: ${quoted([...twice])}`,
    );
  }
}

function warnOfTls(service: TlsService, url: string, tls: TlsFiles, now: Date, warn: Warn): void {
  for (const part of ['ca', 'cert', 'key'] as const) {
    const pem = tls[part];
    if (pem === undefined) continue;
    const variable = `${service}_TLS_${part.toUpperCase()}_FILE`;
    if (!asksForTls(url)) warn(variable, `is not used: ${service}_URL asks for no TLS`);
    else if (part !== 'key') warnOfDates(variable, pem, now, warn);
  }
}

function warnOfDates(variable: string, pem: Buffer, now: Date, warn: Warn): void {
  certificatesIn(pem).forEach(({ validFrom, validTo }, index, { length }) => {
    const which = length === 1 ? 'a certificate' : `a certificate (${index + 1} of ${length})`;
    const [from, to] = [new Date(validFrom), new Date(validTo)];
    if (to < now) warn(variable, `names ${which} that has expired (${to.toISOString()})`);
    if (from > now) warn(variable, `names ${which} that is not valid yet (${from.toISOString()})`);
  });
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, QUOTED_NAMES).map((name) => JSON.stringify(name));
  const more = names.length - shown.length;
  return `${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
