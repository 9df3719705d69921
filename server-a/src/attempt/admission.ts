/** Asks Redis whether a request may go on: at the right time, on the right day, and after its twins. */
import { type UtcDay, utcDay } from '../clock.js';
import type { Client, Sender } from '../config/registry.js';
import type {
  AdmitReply,
  AdmitRequest,
  ConsumeReply,
  ConsumeRequest,
  RateLimit,
  Refused,
  RefuseReply,
  RefuseRequest,
  Standing,
  Throttled,
} from '../redis/calls.js';
import { claimTerms } from '../redis/claim-terms.js';
import { type KeyNames, mostRefusals, QUOTA_TTL_SECONDS, REFUSAL_COUNT_TTL_SECONDS } from '../redis/keys.js';
import type { RedisRoutes } from '../redis/routes.js';
import type { Scripts } from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import type { Admitted, Attempt } from './attempt.js';
import { RedisTime, type Send, windowAround } from './redis-time.js';
import type { Settlement } from './settlement.js';
import { livesOfRecords } from './time-limits.js';
import type { TrackingIds } from './tracking-id.js';
import { afterTwins, type OnTwin } from './twins.js';

/** No unit is left; nothing was changed. */
export interface Exceeded {
  readonly status: 'exceeded';
  readonly used: number;
  readonly secondsLeftOfDay: number;
  /** End of the day whose units are used up: milliseconds since 1970. */
  readonly dayEndMs: number;
}

/** What became of an admission. */
export type AdmissionReply = Admitted | Exceeded | Throttled | Standing;

/** A unit that was taken for a request without a key. */
export interface Consumed {
  readonly status: 'consumed';
  readonly used: number;
  readonly counterKey: string;
  readonly secondsLeftOfDay: number;
}

/** What became of a unit. */
export type ConsumeAnswer = Consumed | Exceeded | Throttled;

/** A refusal to store for a key. */
export interface Refusal {
  readonly httpStatus: number;
  /** @param id the key's tracking id, if it has no other yet */
  readonly bodyFor: (id: string) => string;
  /** Milliseconds that the refusal is kept, at a time of Redis's clock; 0 = only ask what stands under the key. */
  readonly lifeMsAt: (nowMs: number) => number;
}

/** A refusal of a key that had no record, made for this id at this time of Redis's clock. */
export interface KeyRefused extends Refused {
  readonly id: string;
  readonly nowMs: number;
}

/** What became of a refusal. */
export type RefusalReply = KeyRefused | Standing;

/** What this is made of. */
export interface AdmissionParts {
  readonly scripts: Scripts;
  readonly routes: RedisRoutes;
  readonly trackingIds: TrackingIds;
  readonly settlement: Settlement;
  /** Is told when a request begins to wait for its twin. */
  readonly onWait: () => void;
  /** Milliseconds that a call to Redis may take. */
  readonly timeoutMs: number;
  readonly leaseMs: number;
  /** Seconds that a record lives. */
  readonly ttlSeconds: number;
  readonly names: KeyNames;
  /** A used key with another body is refused, instead of replayed. */
  readonly strict: boolean;
}

/** Admits requests. Every method throws RedisUnavailable where Redis gives no answer in time. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #terms: string;
  readonly #redisTime: RedisTime;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const { strict, leaseMs, ttlSeconds } = parts;
    const { openMs: lifeMs, leastOpenMs: minLifeMs } = livesOfRecords(ttlSeconds, leaseMs);
    this.#terms = claimTerms({ strict, leaseMs, lifeMs, minLifeMs, counterLifeSeconds: QUOTA_TTL_SECONDS });
    this.#redisTime = new RedisTime(parts.routes, parts.timeoutMs);
  }

  /**
   * Claims a key and charges its unit, or says what stands under the key; while a twin is at work, waits for it. Where the
   * reply is lost, the claim is undone in the background.
   *
   * @param deadline until when the request may wait, by performance.now()
   */
  admit(attempt: Attempt, digest: string, deadline: number): Promise<AdmissionReply> {
    const look = (onTwin: OnTwin<AdmissionReply>) => this.#admit(attempt, digest, deadline, onTwin);
    return afterTwins(look, deadline, this.#parts.onWait);
  }

  /**
   * Stores a refusal for a key without a record, or says what stands under the key; while a twin is at work, waits for it.
   *
   * @param digest '' = the body could not be read
   */
  refuse(attempt: Attempt, digest: string, refusal: Refusal, deadline: number): Promise<RefusalReply> {
    const look = (onTwin: OnTwin<RefusalReply>) => this.#refuse(attempt, digest, refusal, deadline, onTwin);
    return afterTwins(look, deadline, this.#parts.onWait);
  }

  /**
   * Takes a unit for a request without a key. A unit whose reply comes too late for its request is given back in the
   * background, also by a shutdown; where the connection ends without a reply, the unit may stay taken.
   */
  consume(sender: Sender, deadline: number): Promise<ConsumeAnswer> {
    const { scripts, settlement, names } = this.#parts;
    const { client } = sender;
    const send: Send<ConsumeReply, ConsumeAnswer> = (nowMs, limitMs, route) => {
      const day = utcDay(nowMs);
      const counterKey = names.counter(client.id, day.day);
      const request: ConsumeRequest = {
        counterKey,
        limit: client.dailyQuota,
        lifeSeconds: QUOTA_TTL_SECONDS,
        ...windowAround(nowMs, limitMs, day.startMs, day.endMs),
        rate: this.#rateOf(client),
      };
      const giveBackLate = (late: Promise<ConsumeReply>): void => {
        const isTaken = late.then(({ status }) => status === 'consumed');
        void settlement.refundLate(sender, counterKey, isTaken);
      };
      return {
        reply: scripts.consume(request, limitMs, route, giveBackLate),
        read: (reply) => {
          if (reply.status === 'throttled') return reply;
          const { status, used } = reply;
          const secondsLeftOfDay = secondsLeft(day, nowMs);
          return status === 'exceeded'
            ? { status, used, secondsLeftOfDay, dayEndMs: day.endMs }
            : { status, used, counterKey, secondsLeftOfDay };
        },
      };
    };
    return this.#redisTime.ask(names.counter(client.id, ''), deadline, send);
  }

  #admit(attempt: Attempt, digest: string, deadline: number, onTwin: OnTwin<AdmissionReply>) {
    const { scripts, trackingIds, settlement, leaseMs, names } = this.#parts;
    const { client, key, recordKey, owner, usage } = attempt;
    const send: Send<AdmitReply, AdmissionReply> = (nowMs, limitMs, route) => {
      const day = utcDay(nowMs);
      const { id, epochStartMs, epochEndMs } = trackingIds.derive(client.id, key, nowMs);
      const counterKey = names.counter(client.id, day.day);
      const { fromMs, untilMs } = windowAround(
        nowMs,
        limitMs,
        Math.max(day.startMs, epochStartMs),
        Math.min(day.endMs, epochEndMs),
      );
      // The lease begins when the script runs, so it ends later than this.
      const leaseEndsAt = performance.now() + leaseMs;
      const request: AdmitRequest = {
        recordKey,
        counterKey,
        owner,
        id,
        digest,
        terms: this.#terms,
        limit: client.dailyQuota,
        fromMs,
        untilMs,
        rate: this.#rateOf(client),
        usage,
      };
      return {
        reply: scripts.admit(request, limitMs, route),
        read: (reply) => {
          if (reply.status === 'in_flight') return onTwin(reply);
          const secondsLeftOfDay = secondsLeft(day, nowMs);
          if (reply.status === 'exceeded') return { ...reply, secondsLeftOfDay, dayEndMs: day.endMs };
          if (reply.status !== 'admitted') return reply;
          const { status, takenOver, used } = reply;
          return { status, id: reply.id, takenOver, used, counterKey, digest, leaseEndsAt, secondsLeftOfDay };
        },
        failed: (error) => {
          if (error instanceof RedisUnavailable && error.maybeRan) {
            settlement.undo(attempt, { counterKey, digest, id, admitDeadlineMs: untilMs }, error);
          }
        },
      };
    };
    return this.#redisTime.ask(recordKey, deadline, send);
  }

  #refuse(
    attempt: Attempt,
    digest: string,
    refusal: Refusal,
    deadline: number,
    onTwin: OnTwin<RefusalReply>,
  ) {
    const { scripts, trackingIds, names, strict } = this.#parts;
    const { client, key, recordKey } = attempt;
    const send: Send<RefuseReply, RefusalReply> = (nowMs, limitMs, route) => {
      const { id, epochStartMs, epochEndMs } = trackingIds.derive(client.id, key, nowMs);
      const request: RefuseRequest = {
        recordKey,
        countKey: names.refusals(client.id),
        id,
        digest,
        strict,
        httpStatus: refusal.httpStatus,
        body: refusal.bodyFor(id),
        lifeMs: refusal.lifeMsAt(nowMs),
        most: mostRefusals(client.dailyQuota),
        countLifeSeconds: REFUSAL_COUNT_TTL_SECONDS,
        ...windowAround(nowMs, limitMs, epochStartMs, epochEndMs),
      };
      return {
        reply: scripts.refuse(request, limitMs, route),
        read: (reply) => {
          if (reply.status === 'in_flight') return onTwin(reply);
          return reply.status === 'refused' ? { ...reply, id, nowMs } : reply;
        },
      };
    };
    return this.#redisTime.ask(recordKey, deadline, send);
  }

  #rateOf({ id, maxPerSecond }: Client): RateLimit | undefined {
    return maxPerSecond === undefined
      ? undefined
      : { bucketKey: this.#parts.names.bucket(id), perSecond: maxPerSecond };
  }
}

const secondsLeft = (day: UtcDay, nowMs: number): number => Math.ceil((day.endMs - nowMs) / 1000);
