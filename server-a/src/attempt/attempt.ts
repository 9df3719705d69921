/** An attempt, and its admission. */
import type { Sender } from '../config/registry.js';
import type { DayUsage } from '../redis/calls.js';

/** One request's work on an idempotency key. */
export interface Attempt extends Sender {
  /** The idempotency key. */
  readonly key: string;
  /** Redis key of its record. */
  readonly recordKey: string;
  /** Names this attempt, unlike any other. */
  readonly owner: string;
  /** Is told how much of the day's quota is used: of an item, its batch's. */
  readonly usage?: DayUsage | undefined;
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
