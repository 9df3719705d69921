import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { Admission, type AdmissionParts } from '../../src/attempt/admission.js';
import type { Refusal } from '../../src/attempt/admission-answers.js';
import type { Attempt } from '../../src/attempt/attempt.js';
import { Settlement } from '../../src/attempt/settlement.js';
import { TrackingIds } from '../../src/attempt/tracking-id.js';
import type { Client, Sender } from '../../src/config/registry.js';
import { createLog } from '../../src/logging/log.js';
import type { DayUsage } from '../../src/redis/calls.js';
import { keyNames } from '../../src/redis/keys.js';
import { RedisLink } from '../../src/redis/link.js';
import type { ScriptArguments } from '../../src/redis/script-files.js';
import { Scripts } from '../../src/redis/scripts.js';
import { type JsonObject, parseObject } from './json.js';
import { createMockRedis } from './mock-redis.js';

/** A script on its way to the mock. */
export interface Call {
  readonly command: keyof ScriptArguments;
  /** Lets the mock run it, and resolves to its reply. */
  readonly run: () => Promise<unknown>;
}

/** Decides what becomes of a call: the reply that the gateway is given, or never is. */
export type Fate = (call: Call) => Promise<unknown>;

/** Returns the deadline of a request that has as much time as requests have. */
export const soon = (): number => performance.now() + 2800;

/** Is what becomes of a call whose reply is lost. */
export const never = (): Promise<never> => new Promise(() => {});

/** A body's digest. */
export const DIGEST = 'aaaaaaaaaa';

/** A refusal that is kept for a minute. */
export const REFUSAL: Refusal = {
  httpStatus: 400,
  bodyFor: (id) => `{"tracking_id":"${id}"}`,
  lifeMsAt: () => 60_000,
};

/** A client; no other has its id. */
export function newClient(dailyQuota = 5, maxPerSecond?: number): Client {
  const id = `client-${randomUUID()}`;
  return { id, name: 'Acme', isActive: true, dailyQuota, maxPerSecond };
}

/** Who sends without a key: a client that no other test has. */
export function newSender(dailyQuota?: number): Sender {
  return { client: newClient(dailyQuota), maskedKey: 'key-***' };
}

/** Admission as the gateway has it, on an ioredis-mock whose calls a test may lose, delay or refuse. */
export class AdmissionBench {
  readonly redis: Redis;
  readonly link: RedisLink;
  readonly admission: Admission;
  readonly settlement: Settlement;
  readonly scripts: Scripts;
  readonly trackingIds: TrackingIds;
  /** Lets it be this time at the mock; the gateway is not told. */
  readonly setTime: (nowMs: number) => Promise<void>;
  /** Commands that were sent, in order. */
  readonly sent: string[] = [];
  /** Lines of the log. */
  readonly logged: JsonObject[] = [];
  waits = 0;
  fate: Fate = ({ run }) => run();

  private constructor(
    { redis, setTime }: Awaited<ReturnType<typeof createMockRedis>>,
    options: Partial<AdmissionParts>,
  ) {
    this.redis = redis;
    this.setTime = setTime;
    this.#intercept();
    const { timeoutMs = 2000, ttlSeconds = 86_400 } = options;
    // The mock says nothing of its state.
    this.link = new RedisLink(Object.assign(redis, { status: 'ready' as const }), timeoutMs);
    this.scripts = new Scripts(this.link);
    const log = createLog('test', 'trace', { write: (line) => void this.logged.push(parseObject(line)) });
    this.settlement = new Settlement(this.scripts, log);
    this.trackingIds = new TrackingIds('secret', ttlSeconds);
    this.admission = new Admission({
      scripts: this.scripts,
      routes: this.link,
      trackingIds: this.trackingIds,
      settlement: this.settlement,
      onWait: () => {
        this.waits += 1;
      },
      timeoutMs,
      leaseMs: 60_000,
      ttlSeconds,
      names: keyNames('single', 'quota'),
      strict: false,
      ...options,
    });
  }

  /** Makes a bench whose gateway knows the mock's time. @param nowMs the mock's time, if it matters */
  static async create(options: Partial<AdmissionParts> = {}, nowMs?: number): Promise<AdmissionBench> {
    const mock = await createMockRedis();
    if (nowMs !== undefined) await mock.setTime(nowMs);
    const bench = new AdmissionBench(mock, options);
    await bench.link.clock.synchronise();
    return bench;
  }

  /** Makes an attempt on a new key, or on the key of another attempt. */
  attempt(client: Client, key: string = randomUUID()): Attempt {
    const recordKey = `idem:${client.id}:${key}`;
    return { client, maskedKey: 'key-***', key, recordKey, owner: `owner-${randomUUID()}` };
  }

  /** Units that a counter counts; undefined = there is no counter. */
  async used(counterKey: string): Promise<number | undefined> {
    const value = await this.redis.get(counterKey);
    return value === null ? undefined : Number(value);
  }

  #intercept(): void {
    const { redis } = this;
    const { admit, settle, refuse, quotaConsume, quotaRefund } = redis;
    const meet = (command: Call['command'], run: () => Promise<unknown>) => {
      this.sent.push(command);
      return this.fate({ command, run });
    };
    redis.admit = (...args) => meet('admit', () => admit.apply(redis, args));
    redis.settle = (...args) => meet('settle', () => settle.apply(redis, args));
    redis.refuse = (...args) => meet('refuse', () => refuse.apply(redis, args));
    redis.quotaConsume = (...args) => meet('quotaConsume', () => quotaConsume.apply(redis, args));
    redis.quotaRefund = (...args) => meet('quotaRefund', () => quotaRefund.apply(redis, args));
  }
}

/** Makes attempts on new keys of one client, which are told together how much of the quota is used. */
export function attemptsOf(bench: AdmissionBench, count: number, client = newClient(50)) {
  const usage: DayUsage = { used: undefined };
  const attempts = Array.from({ length: count }, (): Attempt => ({ ...bench.attempt(client), usage }));
  return { client, usage, attempts };
}

/** Admits all in one turn. */
export const admitAll = (bench: AdmissionBench, attempts: readonly Attempt[]) =>
  Promise.all(attempts.map((attempt) => bench.admission.admit(attempt, DIGEST, soon())));
