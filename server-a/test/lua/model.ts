/**
 * What the scripts must do, said once more and in another way: as rules over plain objects, without Redis, without bytes
 * and without a clock. Leases and lives are over when a test says so.
 */
import type { Ending } from '../../src/redis/calls.js';

/** What a key's record holds. */
export type ModelRecord =
  | {
      readonly state: 'open';
      readonly id: string;
      readonly digest: string;
      readonly uncertain: 0 | 1;
      readonly leaseRuns: boolean;
      readonly day: string;
      readonly owner: string;
    }
  | {
      readonly state: 'answered';
      readonly id: string;
      readonly digest: string;
      readonly status: number;
      readonly body: string;
    }
  | { readonly state: 'unreadable' };

/** How long a key lives after a step, in milliseconds: a new life, or the old one but at the least this. */
export type Life = { readonly set: number } | { readonly atLeast: number };

/** Where a script stands in its time. */
export type When = 'early' | 'in time' | 'late';

/** A reply's field that depends on the time: any positive number. */
export const SOME_MS = Symbol('some milliseconds');

/** An attempt: what admit, and later settle, are told. */
export interface ModelAttempt {
  readonly owner: string;
  /** Id that it offers, or was admitted under. */
  id: string;
  readonly digest: string;
  readonly counter: string;
}

/** Milliseconds (of counters: seconds) that the steps are told. */
export interface Lives {
  readonly record: number;
  readonly least: number;
  readonly answer: number;
  readonly hold: number;
  readonly counterSeconds: number;
}

/** All records and counters. Every method returns the reply that the script must give. */
export class Model {
  readonly records = new Map<string, ModelRecord>();
  readonly counters = new Map<string, number>();
  /** Lives that were given since this was emptied, by key. */
  readonly lives = new Map<string, Life>();
  readonly #given: Lives;

  constructor(given: Lives) {
    this.#given = given;
  }

  /** @param hasToken of the client's bucket; true where it has no limit per second */
  admit(
    record: string,
    attempt: ModelAttempt,
    strict: boolean,
    limit: number,
    when: When,
    hasToken: boolean,
  ): unknown[] {
    if (when !== 'in time') return ['not_now', SOME_MS];
    const found = this.records.get(record);
    if (found === undefined) {
      if (!hasToken) return ['throttled'];
      const used = this.#charge(attempt.counter, limit);
      if (used === undefined) return ['exceeded', this.#used(attempt.counter)];
      const { id, digest, owner } = attempt;
      const day = attempt.counter.slice(-10);
      this.records.set(record, { state: 'open', id, digest, uncertain: 0, leaseRuns: true, day, owner });
      this.lives.set(record, { set: this.#given.record });
      return ['admitted', id, 0, used];
    }
    if (found.state === 'open' && found.owner === attempt.owner) {
      // Units used is the one field that others may have moved in the meantime.
      return ['admitted', found.id, found.uncertain, SOME_MS];
    }
    const told = standing(found, attempt.digest, strict);
    if (told !== undefined) return told;
    if (found.state === 'open') {
      this.records.set(record, { ...found, uncertain: 1, leaseRuns: true, owner: attempt.owner });
      this.lives.set(record, { atLeast: this.#given.least });
      return ['admitted', found.id, 1, 0];
    }
    throw new Error('a record that is answered or unreadable is told');
  }

  refuse(
    record: string,
    refusal: {
      readonly id: string;
      readonly digest: string;
      readonly status: number;
      readonly body: string;
      readonly keep: boolean;
      /** Key of the count of stored refusals. */
      readonly count: string;
    },
    strict: boolean,
    most: number,
    when: When,
  ): unknown[] {
    if (when !== 'in time') return ['not_now', SOME_MS];
    const { id, digest, status, body, keep, count } = refusal;
    const found = this.records.get(record);
    if (found !== undefined) {
      return standing(found, digest, strict) ?? ['open', found.state === 'unreadable' ? '' : found.id, 0];
    }
    if (keep) {
      if (this.#charge(count, most) === undefined) return ['refused', 1];
      this.records.set(record, { state: 'answered', id, digest, status, body });
      this.lives.set(record, { set: this.#given.answer });
    }
    return ['refused', 0];
  }

  settle(record: string, ending: Ending, attempt: ModelAttempt, admitMayStillRun: boolean): unknown[] {
    const found = this.records.get(record);
    if (found?.state === 'unreadable') return ['unreadable'];
    const owns = found?.state === 'open' && found.owner === attempt.owner;
    switch (ending) {
      case 'answered': {
        const isNews = found === undefined || (found.id === attempt.id && !isAccepted(found));
        if (isNews) {
          const { id, digest } = attempt;
          this.records.set(record, { state: 'answered', id, digest, status: 202, body: '' });
          this.lives.set(record, { set: this.#given.answer });
        }
        return this.#stands(record);
      }
      case 'not_sent':
        if (owns && found.uncertain === 0) {
          this.records.delete(record);
          this.refund(attempt.counter);
          return ['withdrawn'];
        }
        break;
      case 'held':
      case 'unknown':
        break;
    }
    if (owns) {
      this.records.set(record, { ...found, leaseRuns: ending === 'held' });
      if (ending === 'held') this.lives.set(record, { atLeast: this.#given.hold });
    } else if (admitMayStillRun) return ['early'];
    return this.#stands(record);
  }

  /** @param hasToken see {@link Model.admit} */
  consume(counter: string, limit: number, when: When, hasToken: boolean): unknown[] {
    if (when !== 'in time') return ['not_now', SOME_MS];
    if (!hasToken) return ['throttled'];
    const used = this.#charge(counter, limit);
    return used === undefined ? ['exceeded', this.#used(counter)] : ['consumed', used];
  }

  refund(counter: string): unknown[] {
    const used = this.#used(counter);
    if (used === 0) return ['empty', 0];
    this.counters.set(counter, used - 1);
    return ['refunded', used - 1];
  }

  #used(counter: string): number {
    return this.counters.get(counter) ?? 0;
  }

  #charge(counter: string, limit: number): number | undefined {
    const used = this.#used(counter);
    if (used >= limit) return undefined;
    if (used === 0) this.lives.set(counter, { set: this.#given.counterSeconds * 1000 });
    this.counters.set(counter, used + 1);
    return used + 1;
  }

  #stands(record: string): unknown[] {
    const found = this.records.get(record);
    if (found === undefined) return ['absent'];
    if (found.state === 'answered') return ['answered', found.id, found.status, found.body, SOME_MS, 0];
    return ['open', found.state === 'open' ? found.id : '', 0];
  }
}

/** The table of what a request is told of a record that it does not own; undefined = it may take the key over. */
function standing(found: ModelRecord, digest: string, strict: boolean): unknown[] | undefined {
  if (found.state === 'unreadable') return ['unreadable'];
  const mismatch = digest === '' || digest === found.digest ? 0 : 1;
  const isOver = found.state === 'open' && !found.leaseRuns;
  if (isOver) return mismatch === 1 ? ['open', found.id, 1] : undefined;
  if (mismatch === 1 && strict) return ['mismatch', found.id];
  return found.state === 'answered'
    ? ['answered', found.id, found.status, found.body, SOME_MS, mismatch]
    : ['in_flight', found.id, SOME_MS, mismatch];
}

const isAccepted = (found: ModelRecord): boolean => found.state === 'answered' && found.status === 202;
