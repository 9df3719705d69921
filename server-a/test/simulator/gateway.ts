/** One life of a gateway: the real layers and their real parts, put together as gateway.ts does, over simulated services. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import Koa from 'koa';
import { Settlement } from '../../src/attempt/settlement.js';
import { type Heartbeat, startHeartbeat } from '../../src/background/heartbeat.js';
import { startQuotaGauges } from '../../src/background/quota-gauges.js';
import type { Config } from '../../src/config/load.js';
import type { Registry, RegistryHolder } from '../../src/config/registry.js';
import { BATCH_PATH } from '../../src/http/paths.js';
import { createLog } from '../../src/logging/log.js';
import { createMetrics } from '../../src/metrics.js';
import { batchRequest, everyRequest, sendRequest } from '../../src/pipeline.js';
import { Publisher } from '../../src/rabbitmq/publisher.js';
import { keyNames } from '../../src/redis/keys.js';
import { RedisLink } from '../../src/redis/link.js';
import { notRunError } from '../../src/redis/not-run.js';
import { Scripts } from '../../src/redis/scripts.js';
import { type Context, type Layer, RequestState } from '../../src/request/state.js';
import type { Process } from './process.js';
import type { SimulatedBrokerLink } from './simulated-broker-link.js';
import type { SimulatedRedisClient } from './simulated-redis-client.js';

/** Milliseconds between two looks of the orchestrator at /readyz. */
const PROBE_EVERY_MS = 5000;

/** A request as a sender makes it. */
export interface SimulatedRequest {
  /** 32 hex digits; travels as the trace id. */
  readonly id: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer as it leaves the gateway. */
export interface SimulatedAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** What a gateway is put together from. */
export interface SimulatedGatewayOptions {
  readonly process: Process;
  readonly config: Config;
  readonly registry: Registry;
  readonly redis: SimulatedRedisClient;
  readonly broker: SimulatedBrokerLink;
  /** Also runs the readers of the quota's gauges, and the orchestrator's probe. */
  readonly background: boolean;
  readonly onLogLine: (line: string) => void;
}

/** The metrics are not part of any history: all gateways of this (real) process share them. */
const metrics = createMetrics();
const app = new Koa<RequestState>();

/** A gateway. Everything but {@link SimulatedGateway.stop} runs as a step of its process. */
export class SimulatedGateway {
  readonly process: Process;
  readonly publisher: Publisher;
  readonly settlement: Settlement;
  readonly #options: SimulatedGatewayOptions;
  readonly #registry: RegistryHolder;
  readonly #link: RedisLink;
  readonly #sendLayers: readonly Layer[];
  readonly #batchLayers: readonly Layer[];
  readonly #heartbeat: Heartbeat;
  readonly #gauges: { readonly stop: () => void; readonly refreshNow: () => void } | undefined;
  #inFlight = 0;
  #onIdle: (() => void) | undefined;
  #stopping = false;

  constructor(options: SimulatedGatewayOptions) {
    this.#options = options;
    const { process, config, redis, broker, background, onLogLine } = options;
    const { env } = config;
    this.process = process;
    this.#registry = { current: options.registry };
    const registry = this.#registry;
    const log = createLog(env.SERVICE_NAME, 'warn', { write: onLogLine });
    // Redirections lead back to the one Redis there is.
    this.#link = new RedisLink(redis, env.REDIS_TIMEOUT_MS, undefined, (error) =>
      notRunError(error, { moved: () => {}, ask: () => undefined, notServed: () => {} }),
    );
    this.publisher = new Publisher(broker, metrics, env.PUBLISH_TIMEOUT_MS, env.MAX_IN_FLIGHT);
    const scripts = new Scripts(this.#link);
    this.settlement = new Settlement(scripts, log);
    const { publisher, settlement } = this;
    this.#heartbeat = startHeartbeat({
      publisher,
      registry,
      metrics,
      log,
      queue: env.RABBITMQ_HEARTBEAT_QUEUE,
      serviceName: env.SERVICE_NAME,
      intervalSeconds: env.HEARTBEAT_INTERVAL_SECONDS,
    });
    if (background) {
      this.#gauges = startQuotaGauges({
        registry,
        redis: this.#link,
        metrics,
        names: keyNames('single', env.QUOTA_PREFIX),
      });
      redis.on('ready', this.#gauges.refreshNow);
      this.#probe();
    }
    const parts = { env, registry, redis: this.#link, scripts, settlement, publisher, metrics, log };
    this.#sendLayers = [...everyRequest(parts), ...sendRequest(parts)];
    this.#batchLayers = [...everyRequest(parts), ...batchRequest(parts)];
    publisher.start(this.#heartbeat.beatNow);
  }

  /** Takes new connections. */
  get listening(): boolean {
    return !this.#stopping;
  }

  /** Puts other clients and providers in force. */
  reload(registry: Registry): void {
    this.#registry.current = registry;
    this.#heartbeat.beatNow();
    this.#gauges?.refreshNow();
  }

  /** Serves one request, whose body has been read. */
  async handle({ id, path, headers, body }: SimulatedRequest): Promise<SimulatedAnswer> {
    const req = new IncomingMessage(new Socket());
    req.method = 'POST';
    req.url = path;
    req.headers = { ...headers, traceparent: `00-${id}-1111111111111111-01` };
    const ctx = app.createContext<RequestState>(req, new ServerResponse(req));
    ctx.state = new RequestState();
    if (headers['content-type'] === 'application/json') ctx.state.rawBody = body;
    this.#inFlight += 1;
    try {
      await this.#run(ctx, path === BATCH_PATH ? this.#batchLayers : this.#sendLayers, 0);
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#onIdle?.();
    }
    return {
      status: ctx.status,
      body: ctx.state.json ?? '',
      headers: headersOf(ctx.state),
    };
  }

  /** Ends in order, as gateway.ts does. */
  async stop(): Promise<{ readonly givenUp: number }> {
    const { broker } = this.#options;
    this.#stopping = true;
    this.#gauges?.stop();
    this.#heartbeat.stop();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.publisher.drain();
    await broker.close();
    const { givenUp } = await this.settlement.drain();
    await this.#link.close();
    return { givenUp };
  }

  async #run(ctx: Context, layers: readonly Layer[], at: number): Promise<void> {
    await layers[at]?.(ctx, () => this.#run(ctx, layers, at + 1));
  }

  #probe(): void {
    if (this.#stopping) return;
    setTimeout(() => this.#probe(), PROBE_EVERY_MS).unref();
    this.#link.checkWrite().catch(() => {});
  }
}

/** Headers as a sender reads them, by their names in lower case. */
function headersOf({ headers = [] }: RequestState): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2)
    found[String(headers[at]).toLowerCase()] = String(headers[at + 1]);
  return found;
}
