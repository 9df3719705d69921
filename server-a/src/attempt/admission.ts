/** Asks Redis whether a request may go on: at the right time, on the right day, and after its twins. */
import { type UtcDay, utcDay } from '../clock.js';
import type { Client, Sender } from '../config/registry.js';
import { type KeyNames, mostRefusals, QUOTA_TTL_SECONDS, REFUSAL_COUNT_TTL_SECONDS } from '../redis/keys.js';
import type { RedisRoutes } from '../redis/routes.js';
import type {
  AdmitRequest,
  ConsumeReply,
  ConsumeRequest,
  RateLimit,
  Refused,
  RefuseReply,
  Scripts,
  Standing,
  Throttled,
} from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import type { Admitted, Attempt } from './attempt.js';
import { RedisTime, windowAround } from './redis-time.js';
import type { Settlement } from './settlement.js';
import { livesOfRecords } from './time-limits.js';
import type { TrackingIds } from './tracking-id.js';
import { afterTwins } from './twins.js';

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
  readonly #lives: ReturnType<typeof livesOfRecords>;
  readonly #redisTime: RedisTime;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#lives = livesOfRecords(parts.ttlSeconds, parts.leaseMs);
    this.#redisTime = new RedisTime(parts.routes, parts.timeoutMs);
  }

  /**
   * Claims a key and charges its unit, or says what stands under the key; while a twin is at work, waits for it. Where the
   * reply is lost, the claim is undone in the background.
   *
   * @param deadline until when the request may wait, by performance.now()
   */
  admit(attempt: Attempt, digest: string, deadline: number): Promise<AdmissionReply> {
    return afterTwins(() => this.#admitOnce(attempt, digest, deadline), deadline, this.#parts.onWait);
  }

  /**
   * Stores a refusal for a key without a record, or says what stands under the key; while a twin is at work, waits for it.
   *
   * @param digest '' = the body could not be read
   */
  refuse(
    attempt: Attempt,
    digest: string,
    refusal: Refusal,
    deadline: number,
  ): Promise<KeyRefused | Standing> {
    return afterTwins(
      () => this.#refuseOnce(attempt, digest, refusal, deadline),
      deadline,
      this.#parts.onWait,
    );
  }

  /**
   * Takes a unit for a request without a key. A unit whose reply comes too late for its request is given back in the
   * background, also by a shutdown; where the connection ends without a reply, the unit may stay taken.
   */
  consume(sender: Sender, deadline: number): Promise<Consumed | Exceeded | Throttled> {
    const { scripts, settlement, names } = this.#parts;
    const { client } = sender;
    const anyCounterKey = names.counter(client.id, '');
    return this.#redisTime.ask<Consumed | Exceeded | Throttled>(
      anyCounterKey,
      deadline,
      (nowMs, limitMs, route) => {
        const day = utcDay(nowMs);
        const counterKey = names.counter(client.id, day.day);
        const { fromMs, untilMs } = windowAround(nowMs, limitMs, day.startMs, day.endMs);
        const request: ConsumeRequest = {
          counterKey,
          limit: client.dailyQuota,
          lifeSeconds: QUOTA_TTL_SECONDS,
          fromMs,
          untilMs,
          rate: this.#rateOf(client),
        };
        const giveBackLate = (late: Promise<ConsumeReply>): void => {
          const isTaken = late.then(({ status }) => status === 'consumed');
          void settlement.refundLate(sender, counterKey, isTaken);
        };
        return scripts.consume(request, limitMs, route, giveBackLate).then((reply) => {
          if (reply.status === 'not_now' || reply.status === 'throttled') return reply;
          const { used } = reply;
          const secondsLeftOfDay = secondsLeft(day, nowMs);
          return reply.status === 'exceeded'
            ? { status: 'exceeded', used, secondsLeftOfDay, dayEndMs: day.endMs }
            : { status: 'consumed', used, counterKey, secondsLeftOfDay };
        });
      },
    );
  }

  #admitOnce(attempt: Attempt, digest: string, deadline: number): Promise<AdmissionReply> {
    const { trackingIds, settlement, leaseMs, names, strict } = this.#parts;
    const { client, key, recordKey, owner, scripts = this.#parts.scripts } = attempt;
    return this.#redisTime.ask<AdmissionReply>(recordKey, deadline, (nowMs, limitMs, route) => {
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
        strict,
        leaseMs,
        lifeMs: this.#lives.openMs,
        minLifeMs: this.#lives.leastOpenMs,
        limit: client.dailyQuota,
        counterLifeSeconds: QUOTA_TTL_SECONDS,
        fromMs,
        untilMs,
        rate: this.#rateOf(client),
      };
      return scripts.admit(request, limitMs, route).then(
        (reply) => {
          const secondsLeftOfDay = secondsLeft(day, nowMs);
          if (reply.status === 'exceeded') return { ...reply, secondsLeftOfDay, dayEndMs: day.endMs };
          if (reply.status !== 'admitted') return reply;
          const { status, takenOver, used } = reply;
          return { status, id: reply.id, takenOver, used, counterKey, digest, leaseEndsAt, secondsLeftOfDay };
        },
        (error: unknown) => {
          if (error instanceof RedisUnavailable && error.maybeRan) {
            settlement.undo(attempt, { counterKey, digest, id, admitDeadlineMs: untilMs }, error);
          }
          throw error;
        },
      );
    });
  }

  #refuseOnce(attempt: Attempt, digest: string, refusal: Refusal, deadline: number) {
    const { trackingIds, names, strict } = this.#parts;
    const { client, key, recordKey, scripts = this.#parts.scripts } = attempt;
    return this.#redisTime.ask<KeyRefused | Standing>(recordKey, deadline, async (nowMs, limitMs, route) => {
      const { id, epochStartMs, epochEndMs } = trackingIds.derive(client.id, key, nowMs);
      const reply: RefuseReply = await scripts.refuse(
        {
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
        },
        limitMs,
        route,
      );
      return reply.status === 'refused' ? { ...reply, id, nowMs } : reply;
    });
  }

  #rateOf({ id, maxPerSecond }: Client): RateLimit | undefined {
    return maxPerSecond === undefined
      ? undefined
      : { bucketKey: this.#parts.names.bucket(id), perSecond: maxPerSecond };
  }
}

const secondsLeft = (day: UtcDay, nowMs: number): number => Math.ceil((day.endMs - nowMs) / 1000);
