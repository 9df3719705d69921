/** What the senders of one kind saw. */
export interface Ledger {
  /** Messages begun, each with one key (keyed) or one attempt (unkeyed). */
  messages: number;
  /** Every message that was begun. */
  readonly begun: Set<string>;
  attempts: number;
  /** Tracking ids that a 202 named, by message. */
  readonly accepted: Map<string, Set<string>>;
  /** Tracking ids that any answer named, by message: a key must only ever have one. */
  readonly ids: Map<string, Set<string>>;
  /** Messages that were refused for good. */
  readonly refused: Set<string>;
  /** Answers that said that the outcome is unknown, and attempts that got no answer at all. */
  unknown: number;
  unanswered: number;
  slowestMs: number;
  readonly statuses: Map<number, number>;
}

/** Returns an empty ledger. */
export function newLedger(): Ledger {
  return {
    messages: 0,
    begun: new Set(),
    attempts: 0,
    accepted: new Map(),
    ids: new Map(),
    refused: new Set(),
    unknown: 0,
    unanswered: 0,
    slowestMs: 0,
    statuses: new Map(),
  };
}
