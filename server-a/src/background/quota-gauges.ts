/** Keeps the gauges of quota use up to date: in the background, at no cost to a request. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { utcDay } from '../clock.js';
import type { Client, RegistryHolder } from '../config/registry.js';
import type { Metrics } from '../metrics.js';
import type { KeyNames } from '../redis/keys.js';
import type { RedisService } from '../redis/routes.js';

/** Milliseconds between two looks: newer than the usual scrape of fifteen seconds. */
const REFRESH_MS = 5000;
/** Counters asked for in one command: a tenth of a millisecond for the event loop and less for Redis, so that no request waits. */
const COUNTERS_PER_COMMAND = 100;

/** Clients looked at in one turn of the event loop: half a millisecond if the gauges of all have changed. */
const CLIENTS_PER_TURN = 200;

/** What the gauges are made from. */
export interface QuotaGaugesParts {
  readonly registry: RegistryHolder;
  readonly redis: Pick<RedisService, 'mget' | 'clock'>;
  readonly metrics: Pick<Metrics, 'quotaUsed' | 'quotaLimit'>;
  readonly names: KeyNames;
}

/** Gauges that are kept up to date. */
export interface QuotaGauges {
  /** Looks now, and every few seconds from then on: for a new connection, or a changed configuration. */
  readonly refreshNow: () => void;
  readonly stop: () => void;
}

/**
 * Begins to read the day's counter of each active client, by name and without a scan. While Redis is away the gauges stay;
 * of a cluster, those of the clients whose master is away.
 */
export function startQuotaGauges(parts: QuotaGaugesParts): QuotaGauges {
  const shown = new Map<string, Shown>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let refreshing = false;
  let again = false;
  const refresh = async (): Promise<void> => {
    clearTimeout(timer);
    if (refreshing) {
      again = true;
      return;
    }
    refreshing = true;
    await showQuotas(parts, shown).catch(() => {});
    refreshing = false;
    if (stopped) return;
    timer = setTimeout(refresh, again ? 0 : REFRESH_MS);
    timer.unref();
    again = false;
  };
  void refresh();
  return {
    refreshNow: () => void refresh(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** What the gauges of a client name say. */
interface Shown {
  /** Units; undefined = not known yet. */
  readonly used: number | undefined;
  readonly limit: number;
}

async function showQuotas(
  { registry, redis, metrics, names }: QuotaGaugesParts,
  shown: Map<string, Shown>,
): Promise<void> {
  const asked = registry.current;
  const clients = asked.clients.filter((client) => client.isActive);
  // Redis's outages are told of elsewhere; here there is only nothing new but limits.
  const used = await readCounters(redis, names, clients).catch(() => undefined);
  let steps = 0;
  // Also when nothing has changed: to go through tens of thousands of clients takes longer than a request.
  const endsSlice = (): boolean => {
    steps += 1;
    return steps % CLIENTS_PER_TURN === 0;
  };
  const fullest = new Map<string, Shown>();
  for (const [index, { name, dailyQuota: limit }] of clients.entries()) {
    const candidate = { used: used?.[index] ?? shown.get(name)?.used, limit };
    const known = fullest.get(name);
    // Two clients of one name: the one that comes to its limit first is the one to watch.
    if (known === undefined || share(candidate) > share(known)) fullest.set(name, candidate);
    if (endsSlice()) await turnOfTheLoop();
  }
  for (const name of shown.keys()) {
    // A reload came in between: it asks anew.
    if (asked !== registry.current) return;
    if (!fullest.has(name)) {
      metrics.quotaLimit.remove({ client: name });
      metrics.quotaUsed.remove({ client: name });
      shown.delete(name);
    }
    if (endsSlice()) await turnOfTheLoop();
  }
  for (const [client, now] of fullest) {
    if (asked !== registry.current) return;
    const before = shown.get(client);
    if (before === undefined || before.limit !== now.limit || before.used !== now.used) {
      metrics.quotaLimit.set({ client }, now.limit);
      if (now.used !== undefined) metrics.quotaUsed.set({ client }, now.used);
      shown.set(client, now);
    }
    if (endsSlice()) await turnOfTheLoop();
  }
}

const share = ({ used = 0, limit }: Shown): number => (limit === 0 ? 1 : used / limit);

async function readCounters(
  redis: QuotaGaugesParts['redis'],
  names: KeyNames,
  clients: readonly Client[],
): Promise<(number | undefined)[]> {
  const { day } = utcDay(redis.clock.now() ?? Date.now());
  const used: (number | undefined)[] = [];
  for (let first = 0; first < clients.length; first += COUNTERS_PER_COMMAND) {
    const counters = clients
      .slice(first, first + COUNTERS_PER_COMMAND)
      .map(({ id }) => names.counter(id, day));
    const values = await redis.mget(counters);
    used.push(...values.map((value) => (value === undefined ? undefined : Number(value))));
  }
  return used;
}
