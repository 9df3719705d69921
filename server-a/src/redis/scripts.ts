/** Typed bindings of lua/: one object of named fields in, a discriminated union out. Raw tuples stay in this file. */
import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';
import type { RedisLink } from './connect.js';
import { RECENT_UNITS, recentUnitsKey } from './keys.js';
import { RedisUnavailable } from './unavailable.js';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    idempotencyClaim(
      ...args: [
        record: string,
        candidate: string,
        owner: string,
        fingerprint: string,
        lease: number,
        ttl: number,
        deadline: number,
        strict: number,
      ]
    ): Result<unknown[], Context>;
    idempotencyStore(
      ...args: [
        record: string,
        owner: string,
        id: string,
        fingerprint: string,
        status: number,
        body: string,
        ttl: number,
      ]
    ): Result<unknown, Context>;
    idempotencyRelease(
      ...args: [record: string, owner: string, paid: number, hold: number, ttl: number]
    ): Result<unknown, Context>;
    quotaConsume(
      ...args: [
        counter: string,
        recent: string,
        limit: number,
        ttl: number,
        deadline: number,
        token: string,
        dead: string,
        kept: number,
        keptTtl: number,
      ]
    ): Result<unknown[], Context>;
    quotaRefund(
      ...args: [counter: string, recent: string, token: string, certain: number]
    ): Result<unknown[], Context>;
  }
}

/** Scripts by the command that they define: their file, and how many keys they take (all of one slot). */
export const SCRIPTS = {
  idempotencyClaim: { file: 'idempotency_claim', keys: 1 },
  idempotencyStore: { file: 'idempotency_store', keys: 1 },
  idempotencyRelease: { file: 'idempotency_release', keys: 1 },
  quotaConsume: { file: 'quota_consume', keys: 2 },
  quotaRefund: { file: 'quota_refund', keys: 2 },
} as const;

/** Adds the scripts to a client as commands. ioredis sends EVALSHA, and the text again where Redis has lost it. */
export function defineScripts(redis: Redis): void {
  for (const [command, { file, keys }] of Object.entries(SCRIPTS)) {
    const lua = readFileSync(new URL(`../../lua/${file}.lua`, import.meta.url), 'utf8');
    redis.defineCommand(command, { numberOfKeys: keys, lua });
  }
}

/** A claim to make. Ids are 32 hex digits; durations have their unit in their name. */
export interface ClaimRequest {
  readonly record: string;
  readonly candidate: string;
  readonly owner: string;
  readonly fingerprint: string;
  readonly leaseMs: number;
  readonly ttlSeconds: number;
  /** Refuse another body instead of only reporting it. */
  readonly strict: boolean;
}

/** What became of a claim. */
export type ClaimReply =
  | {
      readonly status: 'claimed';
      readonly id: string;
      readonly takenOver: boolean;
      readonly paid: boolean;
      readonly mismatch: boolean;
      /** Tokens of the owners whose leases have ended, the latest first, separated by spaces; '' = none. */
      readonly deadOwners: string;
    }
  | {
      readonly status: 'done';
      readonly id: string;
      readonly httpStatus: number;
      readonly body: string;
      readonly leftMs: number;
      readonly mismatch: boolean;
    }
  | {
      readonly status: 'in_flight';
      readonly id: string;
      readonly leaseLeftMs: number;
      readonly mismatch: boolean;
    }
  | { readonly status: 'mismatch'; readonly id: string };

/** An answer to store. */
export interface StoreRequest {
  readonly record: string;
  readonly owner: string;
  readonly id: string;
  readonly fingerprint: string;
  readonly httpStatus: number;
  /** Exact bytes; '' with 202, whose body follows from the id. */
  readonly body: string;
  readonly ttlMs: number;
}

/** A claim to give back, or to hold on to. */
export interface ReleaseRequest {
  readonly record: string;
  readonly owner: string;
  /** A unit of quota is kept for this key. */
  readonly paid: boolean;
  /** Milliseconds to keep the claim; 0 = give it back. */
  readonly holdMs: number;
  readonly ttlSeconds: number;
}

/** A unit to take. */
export interface ConsumeRequest {
  readonly counter: string;
  readonly limit: number;
  readonly ttlSeconds: number;
  /** Of this attempt alone. */
  readonly token: string;
  /** Tokens of dead attempts at the same message, separated by spaces; the unit that one of them took is gone on with. */
  readonly deadOwners: string;
}

/** A unit to give back. */
export interface RefundRequest {
  readonly counter: string;
  readonly token: string;
  /** The unit was taken for certain; false = only if its token is remembered. */
  readonly certain: boolean;
}

/** What became of a unit. `used` counts the day's units. */
export type ConsumeReply = { readonly status: 'consumed' | 'exceeded'; readonly used: number };

/** The scripts, callable. Every method throws RedisUnavailable where Redis gives no answer in time. */
export class Scripts {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** Claims a key. A claim that succeeds only after the limit is given back. */
  claim(request: ClaimRequest): Promise<ClaimReply> {
    return this.#claim(request, () => this.#claim(request, tooLate));
  }

  /** Stores an answer; false = the key has passed to another owner, or is answered. */
  store({ record, owner, id, fingerprint, httpStatus, body, ttlMs }: StoreRequest): Promise<boolean> {
    const { redis } = this.#link;
    return this.#link.call(
      () => redis.idempotencyStore(record, owner, id, fingerprint, httpStatus, body, ttlMs),
      (reply) => reply === 'stored',
    );
  }

  /** Gives a claim back or holds it; false = the key has passed to another owner, or is answered. */
  release({ record, owner, paid, holdMs, ttlSeconds }: ReleaseRequest): Promise<boolean> {
    return this.#link.call(
      () => this.#link.redis.idempotencyRelease(record, owner, paid ? 1 : 0, holdMs, ttlSeconds),
      (reply) => reply !== 'lost',
    );
  }

  /** Takes one unit. Where the reply is lost, give the token's unit back: it may have been taken. */
  consume(request: ConsumeRequest): Promise<ConsumeReply> {
    return this.#consume(request, () => this.#consume(request, tooLate));
  }

  /** Gives a unit back. */
  refund({ counter, token, certain }: RefundRequest): Promise<void> {
    return this.#link.call(
      () => this.#link.redis.quotaRefund(counter, recentUnitsKey(counter), token, certain ? 1 : 0),
      () => undefined,
    );
  }

  /** @param again runs it once more, after the script was refused as late and Redis's time is known better */
  #claim(request: ClaimRequest, again: () => Promise<ClaimReply>): Promise<ClaimReply> {
    const { record, candidate, owner, fingerprint, leaseMs, ttlSeconds, strict } = request;
    const { redis, clock } = this.#link;
    const only = strict ? 1 : 0;
    return this.#link.call(
      () =>
        redis.idempotencyClaim(
          record,
          candidate,
          owner,
          fingerprint,
          leaseMs,
          ttlSeconds,
          clock.deadline(),
          only,
        ),
      (reply) => {
        if (reply[0] !== 'late') return readClaim(reply);
        clock.correct(Number(reply[1]));
        return again();
      },
      ([status, , , paid]) => {
        if (status !== 'claimed') return;
        this.release({ record, owner, paid: paid === 1, holdMs: 0, ttlSeconds }).catch(() => {});
      },
    );
  }

  /** @param again as for a claim */
  #consume(request: ConsumeRequest, again: () => Promise<ConsumeReply>): Promise<ConsumeReply> {
    const { counter, limit, ttlSeconds, token, deadOwners } = request;
    const { redis, clock } = this.#link;
    return this.#link.call(
      () =>
        redis.quotaConsume(
          counter,
          recentUnitsKey(counter),
          limit,
          ttlSeconds,
          clock.deadline(),
          token,
          deadOwners,
          RECENT_UNITS.count,
          RECENT_UNITS.ttlSeconds,
        ),
      (reply) => {
        if (reply[0] !== 'late') return readConsume(reply);
        clock.correct(Number(reply[1]));
        return again();
      },
    );
  }
}

/** Late a second time: then it is not our idea of Redis's time that was wrong. */
function tooLate(): Promise<never> {
  return Promise.reject(new RedisUnavailable('Redis did not run the script in time', false));
}

function readClaim(reply: unknown[]): ClaimReply {
  const [status, id, a, b, c, d] = reply;
  if (typeof id !== 'string') throw unexpected('idempotency_claim');
  switch (status) {
    case 'claimed':
      return { status, id, takenOver: a === 1, paid: b === 1, mismatch: c === 1, deadOwners: String(d) };
    case 'done':
      return { status, id, httpStatus: Number(a), body: String(b), leftMs: Number(c), mismatch: d === 1 };
    case 'in_flight':
      return { status, id, leaseLeftMs: Number(a), mismatch: b === 1 };
    case 'mismatch':
      return { status, id };
    default:
      throw unexpected('idempotency_claim');
  }
}

function readConsume([status, value]: unknown[]): ConsumeReply {
  if (status !== 'consumed' && status !== 'exceeded') throw unexpected('quota_consume');
  return { status, used: Number(value) };
}

function unexpected(script: string): Error {
  return new Error(`${script} gave an answer that its header does not name`);
}
