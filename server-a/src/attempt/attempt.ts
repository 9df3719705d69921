/** An attempt, and its admission. */
import type { Sender } from '../config/registry.js';
import type { AttemptScripts } from '../redis/scripts.js';

/** One request's work on an idempotency key. */
export interface Attempt extends Sender {
  /** The idempotency key. */
  readonly key: string;
  /** Redis key of its record. */
  readonly recordKey: string;
  /** Names this attempt, unlike any other. */
  readonly owner: string;
  /** Only an item of a batch has these: scripts that send its calls together with the calls of the other items. */
  readonly scripts?: AttemptScripts;
}

/** A key that is claimed, and whose unit is charged. */
export interface Admitted {
  readonly status: 'admitted';
  /** Tracking id of the key. */
  readonly id: string;
  /** An earlier attempt may have published; this one was not charged. */
  readonly takenOver: boolean;
  /** Units used on the day, this one included; 0 after a take-over. */
  readonly used: number;
  /** Redis key of the counter that was charged. */
  readonly counterKey: string;
  readonly digest: string;
  /** When the claim ends, by performance.now(), milliseconds. */
  readonly leaseEndsAt: number;
  readonly secondsLeftOfDay: number;
}
