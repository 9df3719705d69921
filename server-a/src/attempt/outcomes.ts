/**
 * THE TABLE OF OUTCOMES: what the end of a publish means for the sender, for the key and for the unit of quota. A pure
 * function; no other place decides any of this.
 */
import type { Ending } from '../redis/calls.js';

/** How a publish can end. */
export const PUBLISH_ENDS = [
  'confirmed',
  'returned',
  'not_sent',
  'nacked',
  'timed_out',
  'connection_lost',
] as const;

/**
 * How a publish ended: confirmed by the broker; returned, because no queue took the message; not sent at all; refused by
 * the broker (a classic queue that crashes refuses what may be on disk); without a word in time; or cut off.
 */
export type PublishEnd = (typeof PUBLISH_ENDS)[number];

/** What an attempt was when its publish ended. */
export interface AttemptFacts {
  readonly end: PublishEnd;
  /** The request has an idempotency key. */
  readonly keyed: boolean;
  /** The key was taken over: an earlier attempt may have published. Never with an unkeyed request. */
  readonly openBefore: boolean;
}

/** What the end of an attempt means. */
export interface Outcome {
  /** What the sender is told: 202, or INTERNAL_ERROR with this word in details.accepted. */
  readonly accepted: 'yes' | 'no' | 'unknown';
  /** What is written to the key's record; undefined without a key. */
  readonly ending: Ending | undefined;
  /** What becomes of the unit of quota. With a key, `settle` gives it back together with the record. */
  readonly unit: 'kept' | 'given_back';
}

/** Returns what the end of an attempt means. */
export function outcomeOf({ end, keyed, openBefore }: AttemptFacts): Outcome {
  switch (end) {
    case 'confirmed':
      return { accepted: 'yes', ending: keyed ? 'answered' : undefined, unit: 'kept' };
    case 'returned':
    case 'not_sent':
      // An earlier attempt may have published: its message may be queued, and then the unit is used.
      return openBefore
        ? { accepted: 'unknown', ending: 'not_sent', unit: 'kept' }
        : { accepted: 'no', ending: keyed ? 'not_sent' : undefined, unit: 'given_back' };
    case 'timed_out':
      return { accepted: 'unknown', ending: keyed ? 'held' : undefined, unit: 'kept' };
    case 'nacked':
    case 'connection_lost':
      return { accepted: 'unknown', ending: keyed ? 'unknown' : undefined, unit: 'kept' };
  }
}
