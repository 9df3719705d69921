/**
 * The scripts on a Redis, or on ioredis-mock, called without a gateway.
 *
 * Over 250 lines: one way to call each script.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { claimTerms } from '../../src/redis/claim-terms.js';
import { defineScripts } from '../../src/redis/script-files.js';
import { createMockRedis } from './mock-redis.js';

/** A tracking id in the form that records keep. */
export const newId = (): string => randomUUID();
/** A body's digest. */
export const DIGEST = 'aaaaaaaaaa';
/** Another body's. */
export const OTHER_DIGEST = 'bbbbbbbbbb';
/** A time that is never reached: milliseconds since 1970, with as many digits as those of today. */
export const FAR_MS = 9_999_999_999_999;

/** Where the end of the lease stands in an open record. */
const LEASE_AT = 49;

/** When a script may take effect, Redis's time in milliseconds. By default: always. */
interface WindowArguments {
  readonly from?: number;
  readonly deadline?: number;
}

/** What a test says of a charge. */
interface ChargeArguments extends WindowArguments {
  /** Key of the client's bucket, and its tokens; undefined = the client has no limit per second. */
  readonly rate?: { readonly bucket: string; readonly perSecond: number };
}

/** What a test says of an admission; the rest is usual. */
export interface AdmitArguments extends ChargeArguments {
  readonly owner?: string;
  readonly id?: string;
  readonly digest?: string;
  readonly strict?: boolean;
  readonly leaseMs?: number;
  readonly lifeMs?: number;
  readonly minLifeMs?: number;
  readonly limit?: number;
  readonly counterLifeSeconds?: number;
}

/** What a test says of a settlement. With a counter it is sent as one that touches the counter. */
export interface SettleArguments {
  readonly owner?: string;
  readonly id?: string;
  readonly digest?: string;
  readonly durationMs?: number;
  readonly deadline?: number;
  readonly counter?: string;
}

/** What a test says of a refusal. */
export interface RefuseArguments extends WindowArguments {
  readonly id?: string;
  readonly digest?: string;
  readonly strict?: boolean;
  readonly status?: number;
  readonly body?: string;
  /** 0 = only ask. */
  readonly lifeMs?: number;
  /** Key of the count; by default one that nobody else has. */
  readonly count?: string;
  readonly most?: number;
}

/** A key to claim, beside others; what is left out is new, or as {@link AdmitArguments} has it. */
export interface KeyArguments {
  readonly record: string;
  readonly owner?: string;
  readonly id?: string;
  readonly digest?: string;
}

/** A refusal beside others. */
export interface RefusalArguments
  extends Pick<RefuseArguments, 'id' | 'digest' | 'status' | 'body' | 'lifeMs'> {
  readonly record: string;
}

/** An open record's fields. */
export interface OpenRecord {
  readonly id: string;
  readonly digest: string;
  readonly uncertain: number;
  readonly leaseUntil: number;
  readonly day: string;
  readonly owner: string;
}

/** The scripts on a Redis, called by name with what a test wants to say, and keys that no other test uses. */
export class ScriptBench {
  readonly redis: Redis;
  readonly #namespace = `test-${randomBytes(6).toString('hex')}`;
  #keys = 0;

  private constructor(redis: Redis) {
    this.redis = redis;
  }

  /** Connects to the tests' Redis. @throws Error when there is none */
  static onRedis(url = process.env['TEST_REDIS_URL']): ScriptBench {
    if (url === undefined) throw new Error('TEST_REDIS_URL is not set: run the tests with npm test');
    const redis = new Redis(url);
    defineScripts(redis);
    return new ScriptBench(redis);
  }

  /** Makes an ioredis-mock. */
  static async onMock(): Promise<ScriptBench> {
    return new ScriptBench((await createMockRedis()).redis);
  }

  /** Returns a key that nobody else has. */
  key(): string {
    this.#keys += 1;
    return `${this.#namespace}:${this.#keys}`;
  }

  /** Returns a counter that nobody else has. @param day UTC day, `YYYY-MM-DD` */
  counter(day = '2026-11-23'): string {
    return `${this.key()}:${day}`;
  }

  /** Redis's own time, milliseconds. */
  async now(): Promise<number> {
    const [seconds, microseconds] = await this.redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /** Runs admit for one key. What this and the others are told in place of a list is given as that list. */
  async admit(record: string, counter: string, given: AdmitArguments = {}): Promise<readonly unknown[]> {
    const { id = newId() } = given;
    const reply = await this.admitAll([{ record, id }], counter, given);
    if (typeof reply === 'number') return ['admitted', id, 0, reply];
    const [used, replies] = listOf(reply);
    if (used === 'not_now') return listOf(reply);
    const [own] = listOf(replies);
    return typeof own === 'string' ? ['answered', own, 202, '', 0, 0] : listOf(own);
  }

  /** Runs admit. */
  async admitAll(
    keys: readonly KeyArguments[],
    counter: string,
    given: AdmitArguments = {},
  ): Promise<unknown> {
    const { strict = false, leaseMs = 60_000, lifeMs = 600_000, minLifeMs = 75_000 } = given;
    const { limit = 5, counterLifeSeconds = 86_400, from = 0, deadline = FAR_MS, rate } = given;
    const terms = claimTerms({ strict, leaseMs, lifeMs, minLifeMs, counterLifeSeconds });
    const places = [
      ...keys.map(({ record }) => record),
      counter,
      ...(rate === undefined ? [] : [rate.bucket]),
    ];
    const attempts = keys.map(
      ({ id = newId(), digest = given.digest ?? DIGEST, owner = given.owner ?? 'me' }) =>
        `${id}${digest}${owner}`,
    );
    const head = [terms, limit, from, deadline, rate?.perSecond ?? 0];
    return this.redis.admit(places.length, ...places, ...head, ...attempts);
  }

  /** Claims a new key for `me`; returns where, and under which id. */
  async claimed(given: AdmitArguments = {}) {
    const [record, counter, id] = [this.key(), this.counter(), newId()];
    await this.admit(record, counter, { id, ...given });
    return { record, counter, id };
  }

  /** Returns a key that `successor` has taken over from `me`. */
  async takenOver(given: AdmitArguments = {}) {
    const key = await this.claimed();
    await this.endLease(key.record);
    await this.admit(key.record, key.counter, { owner: 'successor', ...given });
    return key;
  }

  /** Runs settle for one attempt. */
  async settle(
    record: string,
    ending: 'answered' | 'not_sent' | 'held' | 'unknown',
    given: SettleArguments = {},
  ): Promise<readonly unknown[]> {
    const { id = newId(), durationMs = 0 } = given;
    const reply = await this.settleAll([{ record, id }], ending, given);
    return reply === 1 ? ['answered', id, 202, '', durationMs, 0] : listOf(listOf(reply)[0]);
  }

  /** Runs settle. */
  async settleAll(
    keys: readonly KeyArguments[],
    ending: 'answered' | 'not_sent' | 'held' | 'unknown',
    given: SettleArguments = {},
  ): Promise<unknown> {
    const { durationMs = 0, deadline = 0, counter } = given;
    const places = [...keys.map(({ record }) => record), ...(counter === undefined ? [] : [counter])];
    const attempts = keys.map(
      ({ id = newId(), digest = given.digest ?? DIGEST, owner = given.owner ?? 'me' }) =>
        `${id}${digest}${owner}`,
    );
    return this.redis.settle(places.length, ...places, ending, durationMs, deadline, ...attempts);
  }

  /** Runs refuse for one key. */
  async refuse(record: string, given: RefuseArguments = {}): Promise<readonly unknown[]> {
    const replies = await this.refuseAll([{ record, ...given }], given);
    return replies[0] === 'not_now' ? replies : listOf(replies[0]);
  }

  /** Runs refuse. */
  async refuseAll(
    refusals: readonly RefusalArguments[],
    given: Pick<RefuseArguments, 'strict' | 'count' | 'most' | 'from' | 'deadline'> = {},
  ): Promise<readonly unknown[]> {
    const { strict = false, count = this.key(), most = 10_000, from = 0, deadline = FAR_MS } = given;
    const keys = [...refusals.map(({ record }) => record), count];
    const words = refusals.flatMap(
      ({ id = newId(), digest = DIGEST, status = 400, body = '{}', lifeMs = 600_000 }) => [
        id + digest,
        `${status}${body}`,
        lifeMs,
      ],
    );
    const head = [strict ? 1 : 0, from, deadline, most, 86_400];
    return listOf(await this.redis.refuse(keys.length, ...keys, ...head, ...words));
  }

  /** Runs quota_consume for one unit. */
  async consume(counter: string, limit: number, given: ChargeArguments = {}): Promise<readonly unknown[]> {
    const reply = await this.consumeAll(1, counter, limit, given);
    if (typeof reply === 'number') return ['consumed', reply];
    const [status, taken, used] = listOf(reply);
    if (status === 'not_now') return listOf(reply);
    if (taken !== 0) throw new Error(`taken, and refused: ${JSON.stringify(reply)}`);
    return status === 'throttled' ? [status] : [status, used];
  }

  /** Runs quota_consume. */
  async consumeAll(
    units: number,
    counter: string,
    limit: number,
    { from = 0, deadline = FAR_MS, rate }: ChargeArguments = {},
  ): Promise<unknown> {
    const keys = rate === undefined ? [counter] : [counter, rate.bucket];
    const head = [limit, 86_400, from, deadline, units, rate?.perSecond ?? 0];
    return this.redis.quotaConsume(keys.length, ...keys, ...head);
  }

  /** Runs quota_refund. */
  async refund(counter: string): Promise<readonly unknown[]> {
    return listOf(await this.redis.quotaRefund(counter));
  }

  /** Runs look_up. */
  async lookUp(record: string): Promise<readonly unknown[]> {
    return listOf(await this.redis.lookUp(record));
  }

  /** Reads an open record by its documented form. @throws Error when the key's record is not open */
  async openRecord(record: string): Promise<OpenRecord> {
    const value = (await this.redis.get(record)) ?? '';
    const [, id = '', digest = '', uncertain, leaseUntil, day = '', owner = ''] =
      /^1O(.{36})(.{10})([01])(\d{13})(\d{4}-\d\d-\d\d)(.*)$/s.exec(value) ?? [];
    if (id === '') throw new Error(`not an open record: ${value}`);
    return { id, digest, uncertain: Number(uncertain), leaseUntil: Number(leaseUntil), day, owner };
  }

  /** Lets the lease of an open record be over, as if its time had passed. */
  async endLease(record: string): Promise<void> {
    await this.openRecord(record);
    await this.redis.setrange(record, LEASE_AT, '0000000000001');
  }

  close(): void {
    this.redis.disconnect();
  }
}

function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new Error(`not a list: ${JSON.stringify(reply)}`);
  return reply;
}
