/** What the scripts of lua/ are asked, and what they answer: named fields in, a discriminated union out. */

/**
 * The window in which a script may take effect, in milliseconds since 1970 of Redis's clock: outside it, the script does
 * nothing and tells the time.
 */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What stands under a key for a request that does not own it. */
export type Standing =
  /**
   * `leftMs` is what is left of the record's life, which is told of a refusal. `body` is '' with 202: that body follows from
   * the id.
   */
  | {
      readonly status: 'answered';
      readonly id: string;
      readonly httpStatus: number;
      readonly body: string;
      readonly leftMs: number;
      readonly mismatch: boolean;
    }
  /** Another attempt is at work. */
  | {
      readonly status: 'in_flight';
      readonly id: string;
      readonly leaseLeftMs: number;
      readonly mismatch: boolean;
    }
  /** No attempt is at work, and the key's message may be in the broker. */
  | { readonly status: 'open'; readonly id: string; readonly mismatch: boolean }
  /** The key belongs to another body, and the caller asked to be strict. */
  | { readonly status: 'mismatch'; readonly id: string }
  /** The record is of a version that the script does not know. */
  | { readonly status: 'unreadable' };

/** Outside the window: nothing was changed. */
export interface NotNow {
  readonly status: 'not_now';
  /** Redis's time. */
  readonly nowMs: number;
}

/** A client's limit per second. */
export interface RateLimit {
  readonly bucketKey: string;
  /** New messages in a second. */
  readonly perSecond: number;
}

/** Units of a day's quota that are used, as far as was told; undefined = it was not told. */
export interface DayUsage {
  used: number | undefined;
}

/** A key to claim and to charge. Ids are UUIDs. */
export interface AdmitRequest extends Window {
  readonly recordKey: string;
  readonly counterKey: string;
  readonly owner: string;
  readonly id: string;
  readonly digest: string;
  /** As `claimTerms` makes them. */
  readonly terms: string;
  /** Units that the client has a day. */
  readonly limit: number;
  readonly rate: RateLimit | undefined;
  /** Is told how many units are used, whatever becomes of the key. */
  readonly usage?: DayUsage | undefined;
}

/** Too many new messages of the client in this second: nothing was changed, and a key has no record. */
export interface Throttled {
  readonly status: 'throttled';
}

/** What became of an admission. */
export type AdmitReply =
  /** `used` counts the day's units; 0 after a take-over, which charges nothing. */
  | {
      readonly status: 'admitted';
      readonly id: string;
      readonly takenOver: boolean;
      readonly used: number;
    }
  | { readonly status: 'exceeded'; readonly used: number }
  | Throttled
  | Standing
  | NotNow;

/** A refusal to store. */
export interface RefuseRequest extends Window {
  readonly recordKey: string;
  /** Key of the count of the client's stored refusals; used only where this refusal is to be stored. */
  readonly countKey: string;
  readonly id: string;
  /** '' = the body could not be read. */
  readonly digest: string;
  readonly strict: boolean;
  readonly httpStatus: number;
  readonly body: string;
  /** 0 = only ask what stands under the key. */
  readonly lifeMs: number;
  /** Refusals of the client that are stored while their count lives. */
  readonly most: number;
  readonly countLifeSeconds: number;
}

/** The key had no record. `tooMany`: the refusal is not stored, because too many of the client's are. */
export interface Refused {
  readonly status: 'refused';
  readonly tooMany: boolean;
}

/** What became of a refusal. */
export type RefuseReply = Refused | Standing | NotNow;

/** How an attempt ends, as `settle` writes it down. */
export type Ending = 'answered' | 'not_sent' | 'held' | 'unknown';

/** An attempt to end. */
export interface SettleRequest {
  readonly ending: Ending;
  readonly recordKey: string;
  /** The counter that the attempt was charged on; only `not_sent` uses it. */
  readonly counterKey: string;
  readonly owner: string;
  readonly id: string;
  readonly digest: string;
  /** Life of the answer (`answered`) or length of the longer lease (`held`). */
  readonly durationMs: number;
  /** Redis time until which the attempt's `admit` may still run; 0 = it has run. Only `not_sent` uses it. */
  readonly admitDeadlineMs: number;
  /** Is told that a unit was given back. */
  readonly usage?: DayUsage | undefined;
}

/** What stands under the key after an attempt has ended. */
export type SettleReply =
  | Extract<Standing, { status: 'answered' | 'open' | 'unreadable' }>
  /** `withdrawn`: the record is gone and its unit given back; `absent`: there was no record. */
  | { readonly status: 'withdrawn' | 'absent' }
  /** Nothing of the attempt was found, and its `admit` may still run. */
  | { readonly status: 'early' };

/** A unit to take. */
export interface ConsumeRequest extends Window {
  readonly counterKey: string;
  readonly limit: number;
  readonly lifeSeconds: number;
  readonly rate: RateLimit | undefined;
}

/** What became of a unit. `used` counts the day's units. */
export type ConsumeReply =
  | { readonly status: 'consumed' | 'exceeded'; readonly used: number }
  | Throttled
  | NotNow;

/** What is known of a key; times in milliseconds of Redis's clock. */
export type LookUpReply =
  | { readonly status: 'absent' | 'unreadable' }
  /** `body` is '' with 202: that body follows from the id. */
  | (Known & { readonly status: 'answered'; readonly httpStatus: number; readonly body: string })
  /** An attempt is at work while `leaseLeftMs` is over 0. */
  | (Known & { readonly status: 'open'; readonly leaseLeftMs: number });

interface Known {
  readonly id: string;
  /** What is left of the record's life; below 0 = it has no end. */
  readonly leftMs: number;
  readonly nowMs: number;
}
