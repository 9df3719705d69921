import { type ApiError, internalError } from './errors.js';
import type { Claim } from './request-state.js';

/**
 * Makes the error of an attempt whose message certainly reached no queue. Where an earlier attempt with the same key had
 * an unknown outcome, the key's message may be in the broker all the same, and the sender is told so.
 */
export function notAccepted(claim: Claim | undefined, cause: unknown): ApiError {
  return internalError(claim?.paid === true ? 'unknown' : 'no', cause);
}
