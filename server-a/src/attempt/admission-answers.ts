/** What becomes of a request that asks whether it may go on, and of a refusal. */
import type { Refused, Standing, Throttled } from '../redis/calls.js';
import type { Admitted } from './attempt.js';

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

/** What became of a unit. */
export type ConsumeAnswer = Consumed | Exceeded | Throttled;

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

/** What became of a refusal. */
export type RefusalReply = KeyRefused | Standing;
