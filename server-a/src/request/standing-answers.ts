/** Answers a request with what stands under its idempotency key: a replay, or why there is no answer yet. */
import { secondsLeftOfDay } from '../clock.js';
import type { Sender } from '../config/registry.js';
import { internalError, invalidPayload } from '../errors.js';
import type { Log } from '../logging/log.js';
import type { IdempotencyOutcome } from '../metrics.js';
import type { Standing } from '../redis/calls.js';
import type { RedisClock } from '../redis/clock.js';
import { acceptedBody, answerJson, setHeader } from './answers.js';
import type { SendContext } from './state.js';

/** What the answers are made with. */
export interface StandingAnswersParts {
  readonly clock: Pick<RedisClock, 'now'>;
  readonly log: Log;
  readonly count: (outcome: IdempotencyOutcome) => void;
}

/**
 * Makes the function that answers.
 *
 * @returns a function that throws {ApiError} INTERNAL_ERROR with `unknown` where the key has no answer yet, and
 *   INVALID_PAYLOAD where the key belongs to another body
 */
export function standingAnswers({ clock, log, count }: StandingAnswersParts) {
  return function answerStanding(ctx: SendContext, sender: Sender, standing: Standing): void {
    if (standing.status === 'unreadable') {
      throw internalError('unknown', new Error('the record is of another version'));
    }
    ctx.state.trackingId = standing.id;
    if (standing.status === 'mismatch' || standing.mismatch) reportMismatch(ctx, sender);
    switch (standing.status) {
      case 'answered':
        replay(ctx, standing);
        return;
      case 'mismatch':
        throw invalidPayload([{ field: 'Idempotency-Key', message: 'was used before, with another body' }]);
      case 'in_flight':
        throw internalError('unknown', new Error('another request with this idempotency key is at work'));
      case 'open':
        throw internalError('unknown', new Error('an earlier attempt may have published'));
    }
  };

  function replay(ctx: SendContext, answered: Extract<Standing, { status: 'answered' }>): void {
    const { id, httpStatus, body, leftMs } = answered;
    // First of all: a status that is none is refused here.
    answerJson(ctx, httpStatus, httpStatus === 202 ? acceptedBody(id) : body);
    ctx.state.replayed = true;
    count('replayed');
    setHeader(ctx, 'Idempotent-Replayed', 'true');
    if (httpStatus === 429) {
      setHeader(ctx, 'Retry-After', String(secondsLeftOfDay(clock.now() ?? Date.now())));
    } else if (httpStatus === 503) {
      setHeader(ctx, 'Retry-After', String(Math.max(1, Math.ceil(leftMs / 1000))));
    }
  }

  function reportMismatch(ctx: SendContext, { client, maskedKey }: Sender): void {
    count('mismatch');
    setHeader(ctx, 'Idempotency-Mismatch', 'true');
    log.warn(
      {
        tracking_id: ctx.state.trackingId,
        trace_id: ctx.state.trace?.traceId,
        client: client.name,
        client_api_key: maskedKey,
      },
      'idempotency.mismatch',
    );
  }
}
