import type { Cluster, Redis } from 'ioredis';
import { READINESS_KEY } from './keys.js';
import type { RedisLink } from './link.js';
import { notRunError } from './not-run.js';
import { NotRun, type RedisService, type Route } from './routes.js';
import { slotOf } from './slots.js';
import { RedisUnavailable } from './unavailable.js';

/** When a redirection names a node without a connection: milliseconds for which that connection counts as on its way. */
const AWAITED_FOR_MS = 1000;

/**
 * Milliseconds after the start for which readiness wants every master: a gateway that is ready earlier would refuse the
 * clients of a master whose connection is still being made. No longer, because a master may be away.
 */
const ALL_MASTERS_FOR_MS = 3000;

/** How many keys are tried to find one that lives on a master: most likely, even one slot in a thousand has one. */
const READINESS_KEYS = 5000;

/** A pause of at least so many milliseconds, and of up to so many more, by chance. */
export interface RefreshPause {
  readonly least: number;
  readonly chance: number;
}

/** What this is made of. */
export interface ClusterLinksParts {
  readonly cluster: Cluster;
  /** Makes the link to a node. @param translate turns what Redis answers as an error into what is thrown */
  readonly linkTo: (node: Redis, translate: (error: Error) => Error) => RedisLink;
  /** The pause before the cluster is asked where its slots are. */
  readonly refreshMs: RefreshPause;
}

/** The links to a cluster's nodes, each with its own clock, and the way from a key to its master. */
export class ClusterLinks implements RedisService {
  readonly #cluster: Cluster;
  readonly #refreshMs: RefreshPause;
  /** By host and port. Replicas are among them: a replica that becomes master then has its connection already. */
  readonly #links = new Map<string, RedisLink>();
  readonly #nodes = new Map<string, Redis>();
  /** Addresses of slots that a redirection told of since the slots were last asked for. */
  readonly #moved = new Map<number, string>();
  /** Until when to wait for a node that a redirection has named: a time of `performance.now()`, by the node's address. */
  readonly #awaited = new Map<string, number>();
  readonly #readyListeners: (() => void)[] = [];
  #refreshTimer: NodeJS.Timeout | undefined;
  #refreshing = false;
  #closing = false;
  /** Until when readiness wants every master, by `performance.now()`. */
  #wantsAllUntil = performance.now() + ALL_MASTERS_FOR_MS;
  /** The key of a master's readiness checks, by the master's address. It lived there when it was last looked for. */
  readonly #readinessKeys = new Map<string, string>();
  /** Addresses of the masters, when the slots were last asked for. */
  #masters: readonly string[] = [];

  readonly clock = { now: (): number | undefined => this.#anyMaster()?.clock.now() };

  constructor({ cluster, linkTo, refreshMs }: ClusterLinksParts) {
    this.#cluster = cluster;
    this.#refreshMs = refreshMs;
    cluster.on('+node', (node: Redis) => this.#add(node, linkTo));
    cluster.on('-node', (node: Redis) => this.#remove(node));
    cluster.on('refresh', () => this.#refreshed());
  }

  /** True once {@link ClusterLinks.close} was called. */
  get closing(): boolean {
    return this.#closing;
  }

  get usable(): boolean {
    return (
      this.#masters.length > 0 && this.#masters.every((address) => this.#links.get(address)?.usable === true)
    );
  }

  routeOf(key: string): Route {
    const slot = slotOf(key);
    const address = this.#moved.get(slot) ?? this.#cluster.slots[slot]?.[0];
    const link = address === undefined ? undefined : this.#links.get(address);
    // Without the time at Redis no script could be told until when it may run.
    if (link?.usable === true && link.clock.now() !== undefined) return link.routeOf(key);
    this.#refreshSoon();
    // Redis itself has just named this node, so it is there: its connection is on its way.
    if (address !== undefined && performance.now() < (this.#awaited.get(address) ?? 0)) {
      throw new NotRun(`the connection to ${address} is not up yet`);
    }
    throw new RedisUnavailable('the master of this key is not connected', false);
  }

  async mget(keys: readonly string[]): Promise<(string | null | undefined)[]> {
    const bySlot = new Map<number, number[]>();
    keys.forEach((key, index) => {
      const slot = slotOf(key);
      const indexes = bySlot.get(slot);
      if (indexes === undefined) bySlot.set(slot, [index]);
      else indexes.push(index);
    });
    const found: (string | null | undefined)[] = keys.map(() => undefined);
    await Promise.all(
      [...bySlot.values()].map(async (indexes) => {
        const wanted = indexes.map((index) => keys[index] ?? '');
        const values = await this.#mgetOfSlot(wanted).catch(() => []);
        indexes.forEach((index, place) => {
          found[index] = values[place];
        });
      }),
    );
    return found;
  }

  async #mgetOfSlot(keys: readonly string[]): Promise<(string | null)[]> {
    return await this.routeOf(keys[0] ?? '').link.mget(keys);
  }

  async checkWrite(): Promise<void> {
    if (!this.usable && performance.now() < this.#wantsAllUntil)
      throw new RedisUnavailable('not connected', false);
    const asked = this.#masters.flatMap((address) => {
      const [link, key] = [this.#links.get(address), this.#readinessKeyAt(address)];
      return link === undefined || key === undefined ? [] : link.checkWrite(key);
    });
    if (asked.length === 0) throw new RedisUnavailable('not connected', false);
    // The first answer is enough: a balancer does not wait until a frozen master's time is up.
    await Promise.any(asked).catch((error: unknown) => {
      throw error instanceof AggregateError ? error.errors[0] : error;
    });
  }

  onReady(listener: () => void): void {
    this.#readyListeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#refreshTimer);
    this.#cluster.removeAllListeners('-node');
    await Promise.all([...this.#links.values()].map((link) => link.close()));
    this.#cluster.disconnect();
  }

  #add(node: Redis, linkTo: ClusterLinksParts['linkTo']): void {
    const address = nameOf(node);
    this.#dropEarlier(address);
    const link = linkTo(node, (error) =>
      notRunError(error, {
        moved: (slot, to) => this.#learn(slot, to),
        ask: (to) => {
          const asked = this.#links.get(to);
          if (asked?.usable !== true) this.#refreshSoon();
          return asked?.usable === true ? { link: asked, asking: true } : undefined;
        },
        notServed: () => this.#refreshSoon(),
      }),
    );
    this.#links.set(address, link);
    this.#nodes.set(address, node);
    link.onReady(() => {
      if (this.usable) this.#wantsAllUntil = 0;
      for (const listener of this.#readyListeners) listener();
    });
    // ioredis would connect the node only at its first use, and that first request would be refused.
    if (node.status === 'wait') node.connect().catch(() => {});
  }

  /**
   * Ends a connection that ioredis has replaced. ioredis forgets a node whose slots went away before its connection has
   * ended; when that ends at last, ioredis takes it for the end of the new connection, and loses that one.
   */
  #dropEarlier(address: string): void {
    const link = this.#links.get(address);
    if (link === undefined) return;
    this.#nodes.get(address)?.removeAllListeners('end');
    void link.close();
  }

  #remove(node: Redis): void {
    const address = nameOf(node);
    if (this.#nodes.get(address) !== node) return;
    this.#links.delete(address);
    this.#nodes.delete(address);
    this.#refreshSoon();
  }

  /** Returns a key for readiness checks that lives on this master; undefined where none is found. */
  #readinessKeyAt(address: string): string | undefined {
    const isThere = (key: string): boolean => this.#cluster.slots[slotOf(key)]?.[0] === address;
    const known = this.#readinessKeys.get(address);
    if (known !== undefined && isThere(known)) return known;
    for (let number = 0; number < READINESS_KEYS; number += 1) {
      const key = `${READINESS_KEY}-${number}`;
      if (!isThere(key)) continue;
      this.#readinessKeys.set(address, key);
      return key;
    }
    return undefined;
  }

  #learn(slot: number, address: string): void {
    this.#moved.set(slot, address);
    if (this.#links.get(address)?.usable !== true) {
      this.#awaited.set(address, performance.now() + AWAITED_FOR_MS);
    }
    this.#refreshSoon();
  }

  #refreshed(): void {
    this.#moved.clear();
    for (const [address, until] of this.#awaited) {
      if (until < performance.now()) this.#awaited.delete(address);
    }
    this.#masters = [...new Set(this.#cluster.slots.flatMap((addresses) => addresses?.[0] ?? []))];
    if (!this.usable) this.#refreshSoon();
  }

  #refreshSoon(): void {
    if (this.#refreshTimer !== undefined || this.#refreshing || this.#closing) return;
    this.#refreshTimer = setTimeout(
      () => {
        this.#refreshTimer = undefined;
        // Without any node the client connects anew by itself.
        if (this.#cluster.status !== 'ready') return;
        this.#refreshing = true;
        this.#cluster.refreshSlotsCache(() => {
          this.#refreshing = false;
          if (!this.usable) this.#refreshSoon();
        });
      },
      this.#refreshMs.least + Math.random() * this.#refreshMs.chance,
    );
    this.#refreshTimer.unref();
  }

  #anyMaster(): RedisLink | undefined {
    for (const address of this.#masters) {
      const link = this.#links.get(address);
      if (link?.usable === true) return link;
    }
    return undefined;
  }
}

function nameOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}
