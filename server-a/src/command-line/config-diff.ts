/** What changes from one configuration to another, for `--check-config --diff`. */
import type { ApiKey, Client, Provider, Registry } from '../config/registry.js';

/** Returns one line for each difference of clients, API keys and providers; no line holds a secret. */
export function configDifferences(now: Registry, then: Registry): string[] {
  return [
    ...compare(byId(now.clients), byId(then.clients), clientName, clientFacts),
    ...compare(now.apiKeysByHash, then.apiKeysByHash, apiKeyName, apiKeyFacts),
    ...compare(byName(now.providers), byName(then.providers), providerName, providerFacts),
  ];
}

type Facts = Readonly<Record<string, string>>;

const byId = (clients: readonly Client[]) => new Map(clients.map((client) => [client.id, client]));
const byName = (providers: readonly Provider[]) =>
  new Map(providers.map((provider) => [provider.name, provider]));

/** Not its id, which can be an API key. */
const clientName = ({ name }: Client): string => `client ${JSON.stringify(name)}`;
const clientFacts = ({ name, isActive, dailyQuota, maxPerSecond }: Client): Facts => ({
  name: JSON.stringify(name),
  active: yesNo(isActive),
  'daily quota': String(dailyQuota),
  'per second': String(maxPerSecond ?? 'any'),
});

const apiKeyName = ({ client, maskedKey }: ApiKey): string => `API key ${maskedKey} of ${clientName(client)}`;
const apiKeyFacts = ({ notAfterMs }: ApiKey): Facts => ({
  'good until': notAfterMs === undefined ? 'removed' : new Date(notAfterMs).toISOString(),
});

const providerName = ({ name }: Provider): string => `provider ${JSON.stringify(name)}`;
const providerFacts = ({ isActive, isOperational, aliases }: Provider): Facts => ({
  active: yesNo(isActive),
  operational: yesNo(isOperational),
  aliases: aliases.length === 0 ? 'none' : aliases.map((alias) => JSON.stringify(alias)).join(', '),
});

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

function compare<Item>(
  now: ReadonlyMap<string, Item>,
  then: ReadonlyMap<string, Item>,
  nameOf: (item: Item) => string,
  factsOf: (item: Item) => Facts,
): string[] {
  const lines: string[] = [];
  for (const [key, item] of now) {
    const next = then.get(key);
    if (next === undefined) {
      lines.push(`- ${nameOf(item)}`);
      continue;
    }
    const after = factsOf(next);
    for (const [fact, before] of Object.entries(factsOf(item))) {
      if (after[fact] !== before) lines.push(`~ ${nameOf(item)}: ${fact} ${before} -> ${after[fact]}`);
    }
  }
  for (const [key, item] of then) if (!now.has(key)) lines.push(`+ ${nameOf(item)}`);
  return lines;
}
