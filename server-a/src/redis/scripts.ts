/** Typed bindings of lua/: one object of named fields in, a discriminated union out. Raw tuples stay in this file. */
import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';
import type { RedisLink } from './connect.js';

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
      ...args: [counter: string, limit: number, ttl: number, deadline: number]
    ): Result<unknown[], Context>;
    quotaRefund(counter: string): Result<unknown[], Context>;
  }
}

/** Script files by the command that they define; each takes one key. */
export const SCRIPTS = {
  idempotencyClaim: 'idempotency_claim',
  idempotencyStore: 'idempotency_store',
  idempotencyRelease: 'idempotency_release',
  quotaConsume: 'quota_consume',
  quotaRefund: 'quota_refund',
} as const;

/** Adds the scripts to a client as commands. ioredis sends EVALSHA, and the text again where Redis has lost it. */
export function defineScripts(redis: Redis): void {
  for (const [command, file] of Object.entries(SCRIPTS)) {
    const lua = readFileSync(new URL(`../../lua/${file}.lua`, import.meta.url), 'utf8');
    redis.defineCommand(command, { numberOfKeys: 1, lua });
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

/** What became of a unit. `used` counts the day's units. */
export type ConsumeReply = { readonly status: 'consumed' | 'exceeded'; readonly used: number };

/** The scripts, callable. Every method throws RedisUnavailable where Redis gives no answer in time. */
export class Scripts {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** Claims a key. A claim that succeeds only after the limit is given back. */
  async claim(request: ClaimRequest): Promise<ClaimReply> {
    const { record, candidate, owner, fingerprint, leaseMs, ttlSeconds, strict } = request;
    const reply = await this.#inTime(
      (deadline) =>
        this.#link.redis.idempotencyClaim(
          record,
          candidate,
          owner,
          fingerprint,
          leaseMs,
          ttlSeconds,
          deadline,
          strict ? 1 : 0,
        ),
      (late) => {
        if (late[0] !== 'claimed') return;
        void this.release({ record, owner, paid: late[3] === 1, holdMs: 0, ttlSeconds }).catch(() => {});
      },
    );
    return readClaim(reply);
  }

  /** Stores an answer; false = the key has passed to another owner, or is answered. */
  async store({ record, owner, id, fingerprint, httpStatus, body, ttlMs }: StoreRequest): Promise<boolean> {
    const reply = await this.#link.call(() =>
      this.#link.redis.idempotencyStore(record, owner, id, fingerprint, httpStatus, body, ttlMs),
    );
    return reply === 'stored';
  }

  /** Gives a claim back or holds it; false = the key has passed to another owner, or is answered. */
  async release({ record, owner, paid, holdMs, ttlSeconds }: ReleaseRequest): Promise<boolean> {
    const reply = await this.#link.call(() =>
      this.#link.redis.idempotencyRelease(record, owner, paid ? 1 : 0, holdMs, ttlSeconds),
    );
    return reply !== 'lost';
  }

  /** Takes one unit. A unit that was taken only after the limit is given back. */
  async consume(counter: string, limit: number, ttlSeconds: number): Promise<ConsumeReply> {
    const [status, used] = await this.#inTime(
      (deadline) => this.#link.redis.quotaConsume(counter, limit, ttlSeconds, deadline),
      (late) => {
        if (late[0] === 'consumed') void this.refund(counter).catch(() => {});
      },
    );
    if (status !== 'consumed' && status !== 'exceeded') throw unexpected('quota_consume');
    return { status, used: Number(used) };
  }

  /** Gives one unit back. */
  async refund(counter: string): Promise<void> {
    await this.#link.call(() => this.#link.redis.quotaRefund(counter));
  }

  /** Runs a script that refuses to run late; where only our idea of Redis's time was wrong, runs it once more. */
  async #inTime(
    send: (deadline: number) => Promise<unknown[]>,
    onLate: (reply: unknown[]) => void,
  ): Promise<unknown[]> {
    const reply = await this.#link.call(() => send(this.#link.clock.deadline()), onLate);
    if (reply[0] !== 'late') return reply;
    this.#link.clock.correct(Number(reply[1]));
    return this.#link.call(() => send(this.#link.clock.deadline()), onLate);
  }
}

function readClaim(reply: unknown[]): ClaimReply {
  const [status, id, a, b, c, d] = reply;
  if (typeof id !== 'string') throw unexpected('idempotency_claim');
  switch (status) {
    case 'claimed':
      return { status, id, takenOver: a === 1, paid: b === 1, mismatch: c === 1 };
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

function unexpected(script: string): Error {
  return new Error(`${script} gave an answer that its header does not name`);
}
