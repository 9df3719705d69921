/** The answer to the question what is known of an idempotency key. */
import { ApiError, internalError } from '../errors.js';
import type { LookUpReply } from '../redis/calls.js';
import { acceptedBody } from './answers.js';

/** Milliseconds that records live from the moment from which they are counted. */
export interface Lives {
  /** An open record's, from its first claim. */
  readonly openMs: number;
  /** An accepted one's, from its answer. */
  readonly answerMs: number;
}

/**
 * Renders what is known of a key.
 *
 * @throws {ApiError} KEY_NOT_FOUND for a key without a record, INTERNAL_ERROR for a record of another version
 */
export function renderKnown(reply: LookUpReply, lives: Lives): string {
  switch (reply.status) {
    case 'absent':
      // A 404 may be kept by caches, and the next request may be the one that claims the key.
      throw new ApiError('KEY_NOT_FOUND', { headers: { 'Cache-Control': 'no-store' } });
    case 'unreadable':
      throw internalError('unknown', new Error('the record is of another version'));
    case 'open':
      return JSON.stringify({
        state: reply.leaseLeftMs > 0 ? 'in_flight' : 'open',
        accepted: 'unknown',
        tracking_id: reply.id,
        since: beganAt(reply, lives.openMs),
        seconds_left: secondsLeft(reply.leftMs),
      });
    case 'answered': {
      const isAccepted = reply.httpStatus === 202;
      const body: unknown = JSON.parse(isAccepted ? acceptedBody(reply.id) : reply.body);
      return JSON.stringify({
        state: 'answered',
        accepted: isAccepted ? 'yes' : 'no',
        // A refusal has no message that an id could name.
        tracking_id: isAccepted ? reply.id : undefined,
        // A refusal says itself when it was given, and its record may live for less than an accepted one's.
        since: isAccepted ? beganAt(reply, lives.answerMs) : Object(body).timestamp,
        seconds_left: secondsLeft(reply.leftMs),
        answer: { status: reply.httpStatus, body },
      });
    }
  }
}

/**
 * Returns when a record's life began, which no record holds: its age is its whole life less what is left. Undefined where
 * what is left shows that it was given another life: it has no end, or was made under a longer IDEMPOTENCY_TTL_SECONDS.
 */
function beganAt(
  { leftMs, nowMs }: { readonly leftMs: number; readonly nowMs: number },
  lifeMs: number,
): string | undefined {
  return leftMs < 0 || leftMs > lifeMs ? undefined : new Date(nowMs - (lifeMs - leftMs)).toISOString();
}

const secondsLeft = (leftMs: number): number | undefined =>
  leftMs < 0 ? undefined : Math.ceil(leftMs / 1000);
