/** The questions of an admission, each an object: asked at the right time, on the right day, and after the twins. */
import { secondsLeftOfDay, utcDay } from '../clock.js';
import type { Client, Sender } from '../config/registry.js';
import type { AdmitReply, ConsumeReply, NotNow, RateLimit, RefuseReply } from '../redis/calls.js';
import { type KeyNames, mostRefusals, QUOTA_TTL_SECONDS, REFUSAL_COUNT_TTL_SECONDS } from '../redis/keys.js';
import type { Route } from '../redis/routes.js';
import type { Scripts } from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import type { AdmissionReply, ConsumeAnswer, Refusal, RefusalReply } from './admission-answers.js';
import type { Attempt } from './attempt.js';
import { type Question, type RedisTime, windowAround } from './redis-time.js';
import type { Settlement } from './settlement.js';
import type { TrackingIds } from './tracking-id.js';
import { afterTwin, type InFlight } from './twins.js';

/** What questions are made with. */
export interface QuestionParts {
  readonly scripts: Scripts;
  readonly trackingIds: TrackingIds;
  readonly settlement: Settlement;
  readonly redisTime: RedisTime;
  /** Is told when a request begins to wait for its twin. */
  readonly onWait: () => void;
  readonly leaseMs: number;
  /** As `claimTerms` makes them. */
  readonly terms: string;
  readonly names: KeyNames;
  /** A used key with another body is refused, instead of replayed. */
  readonly strict: boolean;
}

/** A question about a key: while a twin is at work, it is asked again. */
abstract class KeyQuestion<
  Reply extends { readonly status: string },
  Answer extends { readonly status: string },
> implements Question<Reply, Answer | InFlight>
{
  readonly key: string;
  readonly deadline: number;
  protected readonly parts: QuestionParts;
  protected readonly attempt: Attempt;
  protected readonly digest: string;
  /** When it was sent last, by the estimate of Redis's clock, and with which id of the key. */
  protected nowMs = 0;
  protected id = '';
  #waits = false;

  constructor(parts: QuestionParts, attempt: Attempt, digest: string, deadline: number) {
    this.parts = parts;
    this.attempt = attempt;
    this.digest = digest;
    this.key = attempt.recordKey;
    this.deadline = deadline;
  }

  abstract send(nowMs: number, limitMs: number, route: Route): Promise<Reply | NotNow>;

  abstract read(reply: Reply): Answer | InFlight | Promise<Answer | InFlight>;

  /** Waits for a twin, if it is the first that is found; a further look leaves it to who waits already. */
  protected afterTwin(twin: InFlight): InFlight | Promise<Answer | InFlight> {
    if (this.#waits) return twin;
    this.#waits = true;
    this.parts.onWait();
    return afterTwin<Answer>(twin, () => this.parts.redisTime.ask(this), this.deadline);
  }
}

/** Claims a key and charges its unit. */
export class Admit extends KeyQuestion<Exclude<AdmitReply, NotNow>, AdmissionReply> {
  #counterKey = '';
  #untilMs = 0;
  #leaseEndsAt = 0;

  send(nowMs: number, limitMs: number, route: Route): Promise<AdmitReply> {
    const { scripts, trackingIds, leaseMs, names, terms } = this.parts;
    const { client, key, recordKey, owner, usage } = this.attempt;
    const { day, startMs, endMs } = utcDay(nowMs);
    const { id, epochStartMs, epochEndMs } = trackingIds.derive(client.id, key, nowMs);
    const { fromMs, untilMs } = windowAround(
      nowMs,
      limitMs,
      Math.max(startMs, epochStartMs),
      Math.min(endMs, epochEndMs),
    );
    this.nowMs = nowMs;
    this.id = id;
    this.#counterKey = names.counter(client.id, day);
    this.#untilMs = untilMs;
    // The lease begins when the script runs, so it ends later than this.
    this.#leaseEndsAt = performance.now() + leaseMs;
    return scripts.admit(
      {
        recordKey,
        counterKey: this.#counterKey,
        owner,
        id,
        digest: this.digest,
        terms,
        limit: client.dailyQuota,
        fromMs,
        untilMs,
        rate: rateOf(client, names),
        usage,
      },
      limitMs,
      route,
    );
  }

  read(reply: Exclude<AdmitReply, NotNow>): AdmissionReply | Promise<AdmissionReply> {
    if (reply.status === 'in_flight') return this.afterTwin(reply);
    if (reply.status === 'exceeded') return exceeded(reply.used, this.nowMs);
    if (reply.status !== 'admitted') return reply;
    const { status, id, takenOver, used } = reply;
    return {
      status,
      id,
      takenOver,
      used,
      counterKey: this.#counterKey,
      digest: this.digest,
      leaseEndsAt: this.#leaseEndsAt,
      secondsLeftOfDay: secondsLeftOfDay(this.nowMs),
    };
  }

  failed(error: unknown): void {
    if (!(error instanceof RedisUnavailable && error.maybeRan)) return;
    const { attempt, digest, id } = this;
    const lost = { counterKey: this.#counterKey, digest, id, admitDeadlineMs: this.#untilMs };
    this.parts.settlement.undo(attempt, lost, error);
  }
}

/** Stores a refusal for a key that has no record. */
export class Refuse extends KeyQuestion<Exclude<RefuseReply, NotNow>, RefusalReply> {
  readonly #refusal: Refusal;

  constructor(parts: QuestionParts, attempt: Attempt, digest: string, refusal: Refusal, deadline: number) {
    super(parts, attempt, digest, deadline);
    this.#refusal = refusal;
  }

  send(nowMs: number, limitMs: number, route: Route): Promise<RefuseReply> {
    const { scripts, trackingIds, names, strict } = this.parts;
    const { client, key, recordKey } = this.attempt;
    const { id, epochStartMs, epochEndMs } = trackingIds.derive(client.id, key, nowMs);
    this.nowMs = nowMs;
    this.id = id;
    return scripts.refuse(
      {
        recordKey,
        countKey: names.refusals(client.id),
        id,
        digest: this.digest,
        strict,
        httpStatus: this.#refusal.httpStatus,
        body: this.#refusal.bodyFor(id),
        lifeMs: this.#refusal.lifeMsAt(nowMs),
        most: mostRefusals(client.dailyQuota),
        countLifeSeconds: REFUSAL_COUNT_TTL_SECONDS,
        ...windowAround(nowMs, limitMs, epochStartMs, epochEndMs),
      },
      limitMs,
      route,
    );
  }

  read(reply: Exclude<RefuseReply, NotNow>): RefusalReply | Promise<RefusalReply> {
    if (reply.status === 'in_flight') return this.afterTwin(reply);
    return reply.status === 'refused' ? { ...reply, id: this.id, nowMs: this.nowMs } : reply;
  }
}

/** Takes a unit for a request without a key. */
export class Consume implements Question<Exclude<ConsumeReply, NotNow>, ConsumeAnswer> {
  readonly key: string;
  readonly deadline: number;
  readonly #parts: QuestionParts;
  readonly #sender: Sender;
  #nowMs = 0;
  #counterKey = '';

  constructor(parts: QuestionParts, sender: Sender, deadline: number) {
    this.#parts = parts;
    this.#sender = sender;
    this.key = parts.names.counter(sender.client.id, '');
    this.deadline = deadline;
  }

  send(nowMs: number, limitMs: number, route: Route): Promise<ConsumeReply> {
    const { scripts, settlement, names } = this.#parts;
    const { client } = this.#sender;
    const { day, startMs, endMs } = utcDay(nowMs);
    const counterKey = names.counter(client.id, day);
    this.#nowMs = nowMs;
    this.#counterKey = counterKey;
    const { fromMs, untilMs } = windowAround(nowMs, limitMs, startMs, endMs);
    const request = {
      counterKey,
      limit: client.dailyQuota,
      lifeSeconds: QUOTA_TTL_SECONDS,
      fromMs,
      untilMs,
      rate: rateOf(client, names),
    };
    return scripts.consume(request, limitMs, route, (late) => {
      const isTaken = late.then(({ status }) => status === 'consumed');
      void settlement.refundLate(this.#sender, counterKey, isTaken);
    });
  }

  read(reply: Exclude<ConsumeReply, NotNow>): ConsumeAnswer {
    if (reply.status === 'throttled') return reply;
    const { status, used } = reply;
    if (status === 'exceeded') return exceeded(used, this.#nowMs);
    return {
      status,
      used,
      counterKey: this.#counterKey,
      secondsLeftOfDay: secondsLeftOfDay(this.#nowMs),
    };
  }
}

function exceeded(used: number, nowMs: number) {
  const { endMs } = utcDay(nowMs);
  return { status: 'exceeded', used, secondsLeftOfDay: secondsLeftOfDay(nowMs), dayEndMs: endMs } as const;
}

function rateOf({ id, maxPerSecond }: Client, names: KeyNames): RateLimit | undefined {
  return maxPerSecond === undefined ? undefined : { bucketKey: names.bucket(id), perSecond: maxPerSecond };
}
