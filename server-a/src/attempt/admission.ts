/** Asks Redis whether a request may go on. */
import type { Sender } from '../config/registry.js';
import { claimTerms } from '../redis/claim-terms.js';
import { QUOTA_TTL_SECONDS } from '../redis/keys.js';
import type { RedisRoutes } from '../redis/routes.js';
import type { AdmissionReply, ConsumeAnswer, Refusal, RefusalReply } from './admission-answers.js';
import type { Attempt } from './attempt.js';
import { Admit, Consume, type QuestionParts, Refuse } from './questions.js';
import { RedisTime } from './redis-time.js';
import { livesOfRecords } from './time-limits.js';

/** What this is made of. */
export interface AdmissionParts extends Omit<QuestionParts, 'terms' | 'redisTime'> {
  readonly routes: RedisRoutes;
  /** Milliseconds that a call to Redis may take. */
  readonly timeoutMs: number;
  /** Seconds that a record lives. */
  readonly ttlSeconds: number;
}

/** Admits requests. Every method throws RedisUnavailable where Redis gives no answer in time. */
export class Admission {
  readonly #parts: QuestionParts;

  constructor(parts: AdmissionParts) {
    const { strict, leaseMs, ttlSeconds } = parts;
    const { openMs: lifeMs, leastOpenMs: minLifeMs } = livesOfRecords(ttlSeconds, leaseMs);
    const terms = claimTerms({ strict, leaseMs, lifeMs, minLifeMs, counterLifeSeconds: QUOTA_TTL_SECONDS });
    this.#parts = { ...parts, terms, redisTime: new RedisTime(parts.routes, parts.timeoutMs) };
  }

  /**
   * Claims a key and charges its unit, or says what stands under the key; while a twin is at work, waits for it. Where the
   * reply is lost, the claim is undone in the background.
   *
   * @param deadline until when the request may wait, by performance.now()
   */
  admit(attempt: Attempt, digest: string, deadline: number): Promise<AdmissionReply> {
    return this.#parts.redisTime.ask(new Admit(this.#parts, attempt, digest, deadline));
  }

  /**
   * Stores a refusal for a key without a record, or says what stands under the key; while a twin is at work, waits for it.
   *
   * @param digest '' = the body could not be read
   */
  refuse(attempt: Attempt, digest: string, refusal: Refusal, deadline: number): Promise<RefusalReply> {
    return this.#parts.redisTime.ask(new Refuse(this.#parts, attempt, digest, refusal, deadline));
  }

  /**
   * Takes a unit for a request without a key. A unit whose reply comes too late for its request is given back in the
   * background, also by a shutdown; where the connection ends without a reply, the unit may stay taken.
   */
  consume(sender: Sender, deadline: number): Promise<ConsumeAnswer> {
    return this.#parts.redisTime.ask(new Consume(this.#parts, sender, deadline));
  }
}
