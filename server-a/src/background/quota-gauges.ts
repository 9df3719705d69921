/** Keeps the gauges of quota use up to date: in the background, at no cost to a request. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { utcDay } from '../clock.js';
import type { Client, Registry, RegistryHolder } from '../config/registry.js';
import type { Metrics } from '../metrics.js';
import type { KeyNames } from '../redis/keys.js';
import type { RedisService } from '../redis/routes.js';

/** Milliseconds between two looks: newer than the usual scrape of fifteen seconds. */
const REFRESH_MS = 5000;
/** Clients looked at in one turn of the event loop, by one command: a tenth of a millisecond, and less for Redis. */
const CLIENTS_PER_TURN = 100;

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
  const show = shower(parts);
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
    await show().catch(() => {});
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
  /** Of the client that is shown: it need not be the only one of its name. */
  readonly id: string;
  /** Units; undefined = not known yet. */
  readonly used: number | undefined;
  readonly limit: number;
}

/** Of counters, in the order of their clients; null = nothing is used, undefined = not known. */
type Values = readonly (string | null | undefined)[];

/** Active clients of one name, by which the gauges know them: most often one. */
type Namesakes = readonly Client[];

/**
 * Makes a function that looks once. It makes nothing that outlives a turn: of tens of thousands of clients, V8 would have to
 * collect megabytes every few seconds.
 */
function shower({ registry, redis, metrics, names }: QuotaGaugesParts): () => Promise<void> {
  const shown = new Map<string, Shown>();
  let portions: readonly (readonly Namesakes[])[] = [];
  let portionsOf: Registry | undefined;

  return async () => {
    const asked = registry.current;
    if (portionsOf !== asked) {
      const byName = namesakesOf(asked);
      await removeAllBut(byName);
      portions = inPortions([...byName.values()]);
      portionsOf = asked;
    }
    const { day } = utcDay(redis.clock.now() ?? Date.now());
    // Redis's outages are told of elsewhere; here there is only nothing new but limits.
    let isThere = true;
    for (const portion of portions) {
      const values: Values | undefined = isThere
        ? await readCounters(portion, day).catch(() => undefined)
        : undefined;
      isThere = values !== undefined;
      // A reload came in between: it asks anew.
      if (asked !== registry.current) return;
      showPortion(portion, values ?? []);
      await turnOfTheLoop();
    }
  };

  function readCounters(portion: readonly Namesakes[], day: string): Promise<Values> {
    return redis.mget(portion.flat().map(({ id }) => names.counter(id, day)));
  }

  async function removeAllBut(byName: ReadonlyMap<string, Namesakes>): Promise<void> {
    let looked = 0;
    for (const client of shown.keys()) {
      if (!byName.has(client)) {
        metrics.quotaLimit.remove({ client });
        metrics.quotaUsed.remove({ client });
        shown.delete(client);
      }
      looked += 1;
      if (looked % CLIENTS_PER_TURN === 0) await turnOfTheLoop();
    }
  }

  function showPortion(portion: readonly Namesakes[], values: Values): void {
    let next = 0;
    for (const namesakes of portion) {
      let fullest: Client | undefined;
      let fullestUsed: number | undefined;
      for (const client of namesakes) {
        const value = values[next];
        next += 1;
        const used = value === undefined ? lastUsed(client) : Number(value);
        // Of several clients of one name, the one that comes to its limit first is the one to watch.
        if (fullest === undefined || share(used, client) > share(fullestUsed, fullest)) {
          fullest = client;
          fullestUsed = used;
        }
      }
      if (fullest !== undefined) showOne(fullest, fullestUsed);
    }
  }

  /** What the gauges say of this client itself: against its own limit, a namesake's units would say nothing. */
  function lastUsed({ id, name }: Client): number | undefined {
    const before = shown.get(name);
    return before?.id === id ? before.used : undefined;
  }

  function showOne({ id, name: client, dailyQuota: limit }: Client, used: number | undefined): void {
    const before = shown.get(client);
    if (before?.id === id && before.limit === limit && before.used === used) return;
    metrics.quotaLimit.set({ client }, limit);
    if (used !== undefined) metrics.quotaUsed.set({ client }, used);
    shown.set(client, { id, used, limit });
  }
}

function namesakesOf({ clients }: Registry): ReadonlyMap<string, Namesakes> {
  const byName = new Map<string, Client[]>();
  for (const client of clients) {
    if (!client.isActive) continue;
    const namesakes = byName.get(client.name);
    if (namesakes === undefined) byName.set(client.name, [client]);
    else namesakes.push(client);
  }
  return byName;
}

/** Parts a list so that each portion has so many clients, or the namesakes of one more. */
function inPortions(all: readonly Namesakes[]): Namesakes[][] {
  const portions: Namesakes[][] = [];
  let room = 0;
  for (const namesakes of all) {
    if (room <= 0) {
      portions.push([]);
      room = CLIENTS_PER_TURN;
    }
    portions.at(-1)?.push(namesakes);
    room -= namesakes.length;
  }
  return portions;
}

const share = (used: number | undefined, { dailyQuota }: Client): number =>
  dailyQuota === 0 ? 1 : (used ?? 0) / dailyQuota;
