/** The stack of the drill: Redis, RabbitMQ, replicas with addresses of their own, senders, and a consumer. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ChannelModel, connect } from 'amqplib';
import { Redis } from 'ioredis';
import { GatewayProcess } from '../../dev/services/gateway-process.js';
import type { ManagedServer } from '../../dev/services/managed-server.js';
import { type RabbitMqServer, startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { startRedisServer } from '../../dev/services/redis-server.js';
import { SEND_PATH } from '../support/paths.js';
import { waitFor } from '../support/wait-for.js';
import type { NameServer } from './name-server.js';

/** The API key that the steady load shows. */
export const API_KEY = 'drill-key-of-the-only-client';
/** Further API keys of the same client, once {@link TEXTS}.clientsWithKeysThatEnd is in force. */
export const ENDING_KEY = 'ending-key-of-the-only-client';
export const EXPIRED_KEY = 'expired-key-of-the-only-client';
export const DAILY_QUOTA = 1_000_000;
const CLIENT = { name: 'Drill', is_active: true, daily_quota: DAILY_QUOTA };
const CLIENTS = { [API_KEY]: CLIENT };
const DAY_MS = 86_400_000;
const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();
const PROVIDER = { Alpha: { is_active: true, is_operational: true } };
/** Milliseconds between two requests of the steady load. */
const REST_MS = 50;

/** What each steady sender sends. */
export interface Load {
  apiKey: string;
  ttlSeconds: number;
}

/** One replica: its process, and its folder of configuration. */
export interface Replica {
  readonly address: string;
  readonly process: GatewayProcess;
  /** Puts another text into its file of clients or providers. */
  readonly configure: (file: 'clients' | 'providers', text: string) => Promise<void>;
}

/** Everything that a failure can be injected into. */
export class Stack {
  readonly names: NameServer;
  readonly replicas: Replica[] = [];
  readonly redis: ManagedServer;
  readonly rabbitmq: RabbitMqServer;
  readonly redisAdmin: Redis;
  readonly load: Load = { apiKey: API_KEY, ttlSeconds: 3600 };
  sending = true;
  #consumer: ChannelModel | undefined;
  #started = 0;
  /** For what a scene writes. */
  readonly folder: string;

  private constructor(folder: string, names: NameServer, redis: ManagedServer, rabbitmq: RabbitMqServer) {
    this.folder = folder;
    this.names = names;
    this.redis = redis;
    this.rabbitmq = rabbitmq;
    this.redisAdmin = new Redis(redis.url, { retryStrategy: () => 200, maxRetriesPerRequest: null });
    this.redisAdmin.on('error', () => {});
  }

  /** Starts both services on their usual ports, and answers names. */
  static async start(folder: string, names: NameServer): Promise<Stack> {
    await mkdir(folder, { recursive: true });
    const [redis, rabbitmq] = await Promise.all([
      startRedisServer({ dataDir: join(folder, 'redis'), port: 6379, appendOnly: true }),
      startRabbitMqServer({
        dataDir: join(folder, 'rabbitmq'),
        port: 5672,
        plugins: ['rabbitmq_prometheus'],
        extraConfig: ['prometheus.tcp.ip = 127.0.0.1', 'prometheus.tcp.port = 15692'],
      }),
    ]);
    const stack = new Stack(folder, names, redis, rabbitmq);
    void stack.#send();
    return stack;
  }

  /** Starts a replica at an address that none had before, waits until it is ready, and tells the name server. */
  async startReplica(variables: Readonly<Record<string, string>> = {}): Promise<Replica> {
    this.#started += 1;
    const address = `127.0.1.${this.#started}`;
    const folder = join(this.folder, address);
    await mkdir(folder);
    const configure = (file: string, text: string) => writeFile(join(folder, `${file}.json`), text);
    await configure('clients', JSON.stringify(CLIENTS));
    await configure('providers', JSON.stringify(PROVIDER));
    const process = await GatewayProcess.start({
      SERVER_A_HOST: address,
      CLIENT_CONFIG_FILE: join(folder, 'clients.json'),
      PROVIDERS_CONFIG_FILE: join(folder, 'providers.json'),
      ...variables,
    });
    const replica = { address, process, configure };
    this.replicas.push(replica);
    this.tellNames();
    await waitFor('a ready replica', async () => (await fetch(`http://${address}:8000/readyz`)).ok, {
      withinMs: 60_000,
    }).catch((error: unknown) => {
      const why = process.stdout.split('\n').filter((line) => /_failed|\.error|fatal/.test(line));
      throw new Error(`${String(error)}; its log: ${why.join('\n')}${process.stderr}`);
    });
    return replica;
  }

  /** Ends a replica, and takes its address away, as an orchestrator does. */
  async endReplica(replica: Replica, signal: NodeJS.Signals): Promise<void> {
    this.replicas.splice(this.replicas.indexOf(replica), 1);
    replica.process.signal(signal);
    await replica.process.ended;
    this.tellNames();
  }

  /** Has the name server know the replicas that there are. */
  tellNames(): void {
    this.names.addresses.set(
      'server-a',
      this.replicas.map(({ address }) => address),
    );
  }

  /** Takes messages from the outbound queue, as Server B does, until {@link stopConsumer}. */
  async startConsumer(): Promise<void> {
    const model = await connect(this.rabbitmq.url);
    model.on('error', () => {});
    const channel = await model.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(20);
    await channel.consume('sms.outbound', (message) => message && channel.ack(message));
    this.#consumer = model;
  }

  async stopConsumer(): Promise<void> {
    await this.#consumer?.close().catch(() => {});
    this.#consumer = undefined;
  }

  async stop(): Promise<void> {
    this.sending = false;
    await this.stopConsumer();
    for (const replica of [...this.replicas]) {
      replica.process.signal('SIGCONT');
      await this.endReplica(replica, 'SIGKILL');
    }
    this.redisAdmin.disconnect();
    await Promise.all([this.redis.kill(), this.rabbitmq.kill()]);
  }

  async #send(): Promise<void> {
    for (let n = 0; ; n += 1) {
      await pause(REST_MS, undefined, { ref: false });
      const replica = this.replicas[n % Math.max(1, this.replicas.length)];
      if (this.sending && replica !== undefined) this.post(replica.address, this.load.apiKey);
    }
  }

  /** Sends one request, and does not wait for its answer. */
  post(address: string, apiKey: string): void {
    const headers = {
      'API-Key': apiKey,
      'Idempotency-Key': randomUUID(),
      'Content-Type': 'application/json',
    };
    const sent = request({ host: address, port: 8000, path: SEND_PATH, method: 'POST', headers }, (answer) =>
      answer.resume(),
    );
    sent.on('error', () => {});
    sent.setTimeout(10_000, () => sent.destroy());
    sent.end(JSON.stringify({ to: '+989121234567', text: 'drill', ttl_seconds: this.load.ttlSeconds }));
  }
}

/** The only client's texts, to change and to put back. */
export const TEXTS = {
  clients: JSON.stringify(CLIENTS),
  providers: JSON.stringify(PROVIDER),
  clientsWithKeysThatEnd: JSON.stringify({
    ...CLIENTS,
    [ENDING_KEY]: { ...CLIENT, id: API_KEY, not_after: inDays(3) },
    [EXPIRED_KEY]: { ...CLIENT, id: API_KEY, not_after: inDays(-1) },
  }),
  /** The steady load is twenty requests a second. */
  slowClient: JSON.stringify({ [API_KEY]: { ...CLIENT, max_per_second: 5 } }),
  otherClients: JSON.stringify(CLIENTS, undefined, 1),
  noProvider: JSON.stringify({ Alpha: { is_active: false, is_operational: true } }),
} as const;
