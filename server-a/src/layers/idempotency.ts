import type { Next } from 'koa';
import type { Admission } from '../attempt/admission.js';
import type { Refusal } from '../attempt/admission-answers.js';
import type { Admitted, Attempt } from '../attempt/attempt.js';
import { bodyDigest } from '../attempt/body-digest.js';
import { outcomeOf, type PublishEnd } from '../attempt/outcomes.js';
import { ownerNames } from '../attempt/owners.js';
import type { Settlement } from '../attempt/settlement.js';
import { deadlineOf, HOLD_MS, REQUEST_LIMIT_MS, settleLimitMs } from '../attempt/time-limits.js';
import { isoNow } from '../clock.js';
import { type ApiError, internalError, renderError, throwAsUnknown, toApiError } from '../errors.js';
import { afterwards } from '../http/layers.js';
import type { Log } from '../logging/log.js';
import type { IdempotencyOutcome, Metrics } from '../metrics.js';
import type { LateEnd } from '../rabbitmq/publish-link.js';
import type { DayUsage, Ending, SettleReply } from '../redis/calls.js';
import type { RedisClock } from '../redis/clock.js';
import type { KeyNames } from '../redis/keys.js';
import { parseIdempotencyKey } from '../request/idempotency-key.js';
import { standingAnswers } from '../request/standing-answers.js';
import { fromEarlierLayer, type Layer, type SendContext } from '../request/state.js';
import { hideQuota } from './quota.js';

/** What this layer needs. */
export interface IdempotencyParts {
  readonly admission: Admission;
  readonly settlement: Settlement;
  readonly clock: Pick<RedisClock, 'now'>;
  readonly names: KeyNames;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Seconds that an answer is kept. */
  readonly ttlSeconds: number;
  /** Milliseconds that a call to Redis may take. */
  readonly timeoutMs: number;
}

/** Milliseconds that a temporary refusal is kept for its key, at the most. */
const TEMPORARY_MS = 60_000;

/**
 * Lets each idempotency key through once; a later request with the key is given the first one's answer, byte for byte.
 *
 * The outermost layer of a keyed request: it prepares the attempt, and the quota layer claims and charges in one call. On
 * the way back there are three cases. The attempt was admitted: its outcome is settled. Something stands under the key:
 * that is the answer. The request was refused from within before it was admitted: the key is asked, and the refusal holds
 * only if the key has no record.
 */
export function idempotency(parts: IdempotencyParts): Layer {
  const letThroughOnce = onceForEachKey(parts);
  const nextOwner = ownerNames();
  return function idempotency(ctx, next) {
    const header = ctx.req.headers['idempotency-key'];
    const { apiKey, client } = ctx.state;
    // An unregistered or inactive client gets its 401 from the next layer, and leaves nothing in Redis.
    if (header === undefined || apiKey === undefined || client?.isActive !== true) return next();
    return letThroughOnce(ctx, next, parseIdempotencyKey(String(header)), nextOwner());
  };
}

/**
 * Returns the function with which {@link idempotency} handles a key of an active client. The items of a batch use it too,
 * each with a name of its own.
 */
export function onceForEachKey(parts: IdempotencyParts) {
  const { admission, settlement, clock, metrics, log } = parts;
  const count = outcomeCounters(metrics);
  const answerStanding = standingAnswers({ clock, log, count });
  const answerLifeMs = parts.ttlSeconds * 1000;

  return (ctx: SendContext, next: Next, key: string, owner: string, usage?: DayUsage): Promise<void> => {
    const client = fromEarlierLayer(ctx, 'client');
    const { maskedKey } = fromEarlierLayer(ctx, 'apiKey');
    const recordKey = parts.names.record(client.id, key);
    const attempt = { client, maskedKey, key, recordKey, owner, usage };
    ctx.state.attempt = attempt;
    return letThroughOnce(ctx, next, attempt);
  };

  /** Not async: what such a function keeps while it waits would be the largest part of an item's garbage. */
  function letThroughOnce(ctx: SendContext, next: Next, attempt: Attempt): Promise<void> {
    return afterwards(
      next,
      () => goBack(ctx, attempt, undefined),
      (thrown: unknown) => goBack(ctx, attempt, toApiError(thrown)),
    );
  }

  function goBack(ctx: SendContext, attempt: Attempt, error: ApiError | undefined): Promise<void> {
    const { admitted } = ctx.state;
    if (admitted === undefined) return answerNotAdmitted(ctx, attempt, error).catch(throwAsUnknown);
    try {
      return settle(ctx, attempt, admitted, error).then((reply) => {
        try {
          answerAdmitted(ctx, attempt, admitted, error, reply);
        } catch (thrown) {
          throwAsUnknown(thrown);
        }
      });
    } catch (thrown) {
      return throwAsUnknown(thrown);
    }
  }

  async function answerNotAdmitted(ctx: SendContext, attempt: Attempt, error: ApiError | undefined) {
    const { standing } = ctx.state;
    if (standing === undefined) await refuse(ctx, attempt, error ?? noAnswer());
    else if (standing.status === 'nothing' || standing.status === 'unanswered') throw error ?? noAnswer();
    else answerStanding(ctx, attempt, standing);
  }

  /** Ends an admitted attempt as the table of outcomes says; resolves to what then stands under the key. */
  function settle(ctx: SendContext, attempt: Attempt, admitted: Admitted, error: ApiError | undefined) {
    count(admitted.takenOver ? 'taken_over' : 'claimed');
    if (error !== undefined) hideQuota(ctx);
    const { ending } = endOf(admitted, publishEndOf(ctx));
    const limitMs = settleLimitMs(deadlineOf(ctx), parts.timeoutMs);
    return settlement.end(attempt, admitted, ending, durationOf(ending), limitMs);
  }

  /** Answers an admitted attempt by what stands under the key now that the attempt is settled. */
  function answerAdmitted(
    ctx: SendContext,
    attempt: Attempt,
    admitted: Admitted,
    error: ApiError | undefined,
    reply: SettleReply | undefined,
  ): void {
    const { published } = ctx.state;
    if (published?.end === 'timed_out') {
      void published.late.then((end) => settleLate(ctx, attempt, admitted, end));
    }
    const { accepted } = endOf(admitted, publishEndOf(ctx));
    if (accepted === 'yes') {
      // The answer goes out once it is stored, or once it is known that Redis cannot store it now.
      if (reply === undefined) count('store_failed');
      else if (reply.status !== 'answered' || reply.id !== admitted.id) answerOther(ctx, attempt, reply);
      return;
    }
    if (reply?.status === 'answered') answerOther(ctx, attempt, reply);
    // `no` is Redis's word: the record is gone.
    else {
      const isGone = reply?.status === 'withdrawn' || reply?.status === 'absent';
      throw told(accepted === 'no' && isGone ? 'no' : 'unknown', error);
    }
  }

  /** Answers with what another attempt left under the key. */
  function answerOther(ctx: SendContext, attempt: Attempt, reply: SettleReply): void {
    count('lost');
    hideQuota(ctx);
    if (reply.status !== 'answered') throw told('unknown', undefined);
    answerStanding(ctx, attempt, reply);
  }

  async function settleLate(
    ctx: SendContext,
    attempt: Attempt,
    admitted: Admitted,
    end: LateEnd,
  ): Promise<void> {
    log.warn(
      {
        outcome: end,
        tracking_id: admitted.id,
        trace_id: ctx.state.trace?.traceId,
        client: attempt.client.name,
        client_api_key: attempt.maskedKey,
      },
      'publish.settled_late',
    );
    const { ending } = endOf(admitted, end);
    await settlement.end(attempt, admitted, ending, durationOf(ending));
  }

  function durationOf(ending: Ending): number {
    if (ending === 'answered') return answerLifeMs;
    return ending === 'held' ? HOLD_MS : 0;
  }

  /** Asks the key before a refusal goes out, and stores the refusal where the key has no record. */
  async function refuse(ctx: SendContext, attempt: Attempt, error: ApiError): Promise<void> {
    const digest = bodyDigest(ctx.state);
    const isKept = digest !== '' && error.kind !== 'failure';
    const refusal: Refusal = {
      httpStatus: error.status,
      bodyFor: (id) => (isKept ? renderAnew(error, id) : ''),
      lifeMsAt: (nowMs) => (isKept ? lifeMs(error, nowMs) : 0),
    };
    const reply = await admission
      .refuse(attempt, digest, refusal, deadlineOf(ctx))
      .catch((cause: unknown) => {
        throw internalError('unknown', cause);
      });
    if (reply.status !== 'refused') {
      answerStanding(ctx, attempt, reply);
      return;
    }
    if (reply.tooMany) {
      metrics.refusalsNotStored.inc({ client: attempt.client.name });
      // The refusal was rendered with an id that no record holds.
      error.rendered = undefined;
    } else if (isKept && error.kind === 'decision') ctx.state.trackingId = reply.id;
    throw error;
  }

  function lifeMs(error: ApiError, nowMs: number): number {
    if (error.kind === 'decision') return answerLifeMs;
    // The refusal's life begins when the call runs, which is within a request's time. A refusal kept longer than its reason
    // lasts would be told with the next reset's Retry-After: a day too late.
    const passesMs = Math.floor(error.passesAtMs - nowMs - REQUEST_LIMIT_MS);
    return Math.max(0, Math.min(TEMPORARY_MS, passesMs, answerLifeMs));
  }
}

const publishEndOf = ({ state: { published } }: SendContext): PublishEnd => published?.end ?? 'not_sent';

function noAnswer(): ApiError {
  return internalError('unknown', new Error('no layer has answered'));
}

function endOf({ takenOver }: Admitted, end: PublishEnd) {
  const { accepted, ending } = outcomeOf({ end, keyed: true, openBefore: takenOver });
  return { accepted, ending: ending ?? 'unknown' };
}

/** Returns the error that answers an attempt, with this word for `accepted`. */
function told(accepted: 'no' | 'unknown', error: ApiError | undefined): ApiError {
  return error?.details?.['accepted'] === accepted ? error : internalError(accepted, error?.cause);
}

/** Renders the refusal for the key's id of this moment: a moment earlier, the id may have been another one. */
function renderAnew(error: ApiError, id: string): string {
  error.rendered = undefined;
  return renderError(error, id, isoNow());
}

function outcomeCounters(metrics: Metrics): (outcome: IdempotencyOutcome) => void {
  const counters = {
    claimed: metrics.idempotency.kept({ outcome: 'claimed' }),
    replayed: metrics.idempotency.kept({ outcome: 'replayed' }),
    waited: metrics.idempotency.kept({ outcome: 'waited' }),
    taken_over: metrics.idempotency.kept({ outcome: 'taken_over' }),
    mismatch: metrics.idempotency.kept({ outcome: 'mismatch' }),
    store_failed: metrics.idempotency.kept({ outcome: 'store_failed' }),
    lost: metrics.idempotency.kept({ outcome: 'lost' }),
  };
  return (outcome) => counters[outcome].inc();
}
