/** What is allowed in a configuration and yet looks wrong: said at the start, and no reason not to start. */
import type { ConfigFault } from './faults.js';
import type { Config } from './load.js';
import type { Registry } from './registry.js';
import { certificatesIn, type TlsFiles, type TlsService } from './tls.js';
import { asksForTls, ignoredParameters } from './urls.js';

type Warn = (variable: string, message: string) => void;

/** Names quoted in one warning; a list of thousands would hide what it is about. */
const QUOTED_NAMES = 5;

/** Returns every warning, by variable; none holds a secret. */
export function configWarnings(config: Config, now = new Date()): ConfigFault[] {
  const warnings: ConfigFault[] = [];
  const warn: Warn = (variable, message) => void warnings.push({ variable, path: '', message });
  const { env, registry } = config;
  warnOfClients(registry, warn);
  if (env.PROVIDER_GATE_ENABLED && !registry.anyProviderAvailable) {
    warn('PROVIDERS_CONFIG', 'has no provider that is active and operational: every request is refused');
  }
  warnOfTls('REDIS', env.REDIS_URL, config.redisTls, now, warn);
  warnOfTls('RABBITMQ', env.RABBITMQ_URL, config.rabbitmqTls, now, warn);
  const ignored = ignoredParameters(env.RABBITMQ_URL);
  if (ignored.length > 0) warn('RABBITMQ_URL', `has parameters that are ignored: ${quoted(ignored)}`);
  if (env.SHUTDOWN_TIMEOUT_MS < env.PUBLISH_TIMEOUT_MS) {
    warn('SHUTDOWN_TIMEOUT_MS', 'is shorter than PUBLISH_TIMEOUT_MS: a shutdown can cut off what waits');
  }
  return warnings;
}

function warnOfClients({ clients }: Registry, warn: Warn): void {
  const active = clients.filter(({ isActive }) => isActive);
  if (active.length === 0) warn('CLIENT_CONFIG', 'has no active client: every request is answered 401');
  const idle = active.filter(({ dailyQuota }) => dailyQuota === 0).map(({ name }) => name);
  if (idle.length > 0) warn('CLIENT_CONFIG', `has active clients with a quota of 0: ${quoted(idle)}`);
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
