import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Variables } from '../../dev/services/gateway-process.js';
import { Gateway } from './gateway.js';
import { Outbox, onChannel } from './outbox.js';
import { RABBITMQ_URL, REDIS_URL } from './test-services.js';

/** A client of CLIENT_CONFIG, but for its key. */
export interface ClientSettings {
  readonly is_active?: boolean;
  readonly daily_quota?: number;
  readonly max_per_second?: number;
}

/** A provider of PROVIDERS_CONFIG. */
export interface ProviderSettings {
  readonly is_active: boolean;
  readonly is_operational: boolean;
  readonly aliases?: readonly string[];
  readonly note?: string;
}

/** What makes a site differ from the usual one. */
export interface SiteSettings {
  /** By name; the default is one client, `main`. */
  readonly clients?: Readonly<Record<string, ClientSettings>>;
  readonly providers?: Readonly<Record<string, ProviderSettings>>;
  /** More variables of the environment of every gateway here. */
  readonly variables?: Variables;
}

/** Two that work, one that is switched off, one that is down. */
export const PROVIDERS = {
  Alpha: { is_active: true, is_operational: true, aliases: ['alpha-sms', 'First'], note: 'works' },
  Beta: { is_active: true, is_operational: true },
  Gamma: { is_active: false, is_operational: true, aliases: ['gamma-sms'] },
  Delta: { is_active: true, is_operational: false },
} as const satisfies Record<string, ProviderSettings>;

/** Phone number of {@link newBody}; no gateway may write it anywhere but into a message. */
const TO = '+989121234567';
/** Part of the text of {@link newBody}; no gateway may write it anywhere but into a message. */
const MARK = 'Confidential';

/** Returns a valid body with a text like no other, by which its message is found. */
export function newBody(): { readonly to: string; readonly text: string } {
  return { to: TO, text: `${MARK} ${randomUUID()}` };
}

/** SHA-256 (hex). */
export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** One configuration with its own API keys, queues and Redis keys, and the gateways that run on it. */
export class Site {
  /** Environment of every gateway here. */
  readonly variables: Variables & Readonly<Record<'CLIENT_CONFIG' | 'PROVIDERS_CONFIG', string>>;
  readonly outboundQueue: string;
  readonly heartbeatQueue: string;
  readonly quotaPrefix: string;
  /** Looks at what the gateways leave in Redis. */
  readonly redis = new Redis(REDIS_URL);
  readonly #apiKeys: ReadonlyMap<string, string>;
  readonly #gateways: Gateway[] = [];
  readonly #outboxes: Outbox[] = [];

  constructor({ clients = { main: {} }, providers = PROVIDERS, variables = {} }: SiteSettings = {}) {
    const id = randomBytes(5).toString('hex');
    this.outboundQueue = `test.${id}.outbound`;
    this.heartbeatQueue = `test.${id}.heartbeat`;
    this.quotaPrefix = `quota-${id}`;
    this.#apiKeys = new Map(Object.keys(clients).map((name) => [name, randomBytes(18).toString('hex')]));
    const clientConfig = Object.entries(clients).map(([name, settings]) => [
      this.apiKey(name),
      { name, is_active: true, daily_quota: 1_000_000, ...settings },
    ]);
    this.variables = {
      REDIS_URL,
      RABBITMQ_URL,
      // A machine that is busy with other tests is no outage.
      REDIS_TIMEOUT_MS: '2000',
      PUBLISH_TIMEOUT_MS: '2000',
      RABBITMQ_OUTBOUND_QUEUE: this.outboundQueue,
      RABBITMQ_HEARTBEAT_QUEUE: this.heartbeatQueue,
      QUOTA_PREFIX: this.quotaPrefix,
      TRACKING_ID_SECRET: 'a secret of the tests',
      CLIENT_CONFIG: JSON.stringify(Object.fromEntries(clientConfig)),
      PROVIDERS_CONFIG: JSON.stringify(providers, undefined, 1),
      ...variables,
    };
  }

  /** API key of the client with this name. */
  apiKey(client: string): string {
    const key = this.#apiKeys.get(client);
    if (key === undefined) throw new Error(`no client ${client}`);
    return key;
  }

  /** Starts a gateway on this configuration, or on one that differs in some variables. */
  async startGateway(
    variables: Variables = {},
    options = { untilReady: true },
    cwd?: string,
  ): Promise<Gateway> {
    const gateway = await Gateway.start({ ...this.variables, ...variables }, options, cwd);
    this.#gateways.push(gateway);
    return gateway;
  }

  /** Begins to consume the outbound queue (default) or another, which must exist. */
  async openOutbox(queue = this.outboundQueue): Promise<Outbox> {
    const outbox = await Outbox.open(queue);
    this.#outboxes.push(outbox);
    return outbox;
  }

  /** Redis key of an idempotency record. */
  recordKey(client: string, idempotencyKey: string): string {
    return `idem:${this.apiKey(client)}:${idempotencyKey}`;
  }

  /** Redis key of a client's counter of today. */
  counterKey(client: string): string {
    return `${this.quotaPrefix}:${this.apiKey(client)}:${new Date().toISOString().slice(0, 10)}`;
  }

  /** Messages that count against a client's quota, of whatever day. */
  async used(client: string): Promise<number> {
    const counters = await this.redis.keys(`${this.quotaPrefix}:${this.apiKey(client)}:*`);
    const values = await Promise.all(counters.map((counter) => this.redis.get(counter)));
    return values.reduce((sum, value) => sum + Number(value), 0);
  }

  /** Every key in Redis that belongs to a client. */
  async keysOf(client: string): Promise<string[]> {
    return this.redis.keys(`*${this.apiKey(client)}*`);
  }

  /**
   * Ends the gateways and removes the queues.
   *
   * @throws Error when a gateway has written anything but JSON log lines, or a secret
   */
  async close(): Promise<void> {
    const faults: string[] = [];
    for (const gateway of this.#gateways) {
      if (gateway.process.running) await gateway.stop();
      const killed = (await gateway.process.ended).signal === 'SIGKILL';
      const found = gateway.faultsOfOutput([...this.#apiKeys.values(), MARK, TO.slice(1)]);
      // A crash may end stdout within a line.
      faults.push(...found.filter((fault) => !(killed && fault.startsWith('stdout ends'))));
    }
    await Promise.all(this.#outboxes.map((outbox) => outbox.close()));
    await onChannel(async (channel) => {
      for (const queue of [this.outboundQueue, `${this.outboundQueue}.dead`, this.heartbeatQueue]) {
        await channel.deleteQueue(queue);
      }
    });
    const left = (await Promise.all([...this.#apiKeys.keys()].map((client) => this.keysOf(client)))).flat();
    if (left.length > 0) await this.redis.del(left);
    await this.redis.quit();
    if (faults.length > 0) throw new Error(`faults of a gateway's output:\n${faults.join('\n')}`);
  }
}
