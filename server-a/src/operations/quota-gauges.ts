/** Keeps the gauges of quota use up to date: in the background, at no cost to a request. */
import { utcDay } from '../clock.js';
import type { Client, RegistryHolder } from '../config/registry.js';
import type { Metrics } from '../metrics.js';
import type { RedisLink } from '../redis/connect.js';
import { quotaCounterKey } from '../redis/keys.js';

/** Milliseconds between two looks: newer than the usual scrape of fifteen seconds. */
const REFRESH_MS = 5000;
/** Counters asked for in one command: some hundred microseconds of Redis's time, so that no request waits behind it. */
const COUNTERS_PER_COMMAND = 500;

/** What the gauges are made from. */
export interface QuotaGaugesParts {
  readonly registry: RegistryHolder;
  readonly redis: Pick<RedisLink, 'call' | 'redis' | 'usable'>;
  readonly metrics: Pick<Metrics, 'quotaUsed' | 'quotaLimit'>;
  /** First part of the counters' keys. */
  readonly prefix: string;
}

/** Gauges that are kept up to date. */
export interface QuotaGauges {
  /** Looks now, and every few seconds from then on: for a new connection, or a changed configuration. */
  readonly refreshNow: () => void;
  readonly stop: () => void;
}

/** Begins to read the day's counter of each active client, by name and without a scan. While Redis is away the gauges stay. */
export function startQuotaGauges(parts: QuotaGaugesParts): QuotaGauges {
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
    // Redis's outages are told of elsewhere; here there is only nothing new.
    await showQuotas(parts).catch(() => {});
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

async function showQuotas({ registry, redis, metrics, prefix }: QuotaGaugesParts): Promise<void> {
  const asked = registry.current;
  const clients = asked.clients.filter((client) => client.isActive);
  const used = redis.usable ? await readCounters(redis, prefix, clients) : undefined;
  // A reload came in between: it asks anew.
  if (asked !== registry.current) return;
  const fullest = new Map<string, { readonly used: number | undefined; readonly limit: number }>();
  clients.forEach(({ name, dailyQuota: limit }, index) => {
    const candidate = { used: used?.[index], limit };
    const known = fullest.get(name);
    // Two keys of one name (one follows the other): the one that comes to its limit first is the one to watch.
    if (known === undefined || share(candidate) > share(known)) fullest.set(name, candidate);
  });
  metrics.quotaLimit.reset();
  if (used !== undefined) metrics.quotaUsed.reset();
  for (const [client, { used, limit }] of fullest) {
    metrics.quotaLimit.set({ client }, limit);
    if (used !== undefined) metrics.quotaUsed.set({ client }, used);
  }
}

const share = ({ used = 0, limit }: { readonly used: number | undefined; readonly limit: number }): number =>
  limit === 0 ? 1 : used / limit;

async function readCounters(
  redis: QuotaGaugesParts['redis'],
  prefix: string,
  clients: readonly Client[],
): Promise<number[]> {
  const { day } = utcDay();
  const used: number[] = [];
  for (let first = 0; first < clients.length; first += COUNTERS_PER_COMMAND) {
    const counters = clients
      .slice(first, first + COUNTERS_PER_COMMAND)
      .map(({ key }) => quotaCounterKey(prefix, key, day));
    used.push(
      ...(await redis.call(
        () => redis.redis.mget(counters),
        (values) => values.map(Number),
      )),
    );
  }
  return used;
}
