/** What an experiment showed, and what of that must not be. */
import type { Consumer } from './consumer.js';
import type { Fault } from './faults.js';
import type { Ledger } from './ledger.js';

/** How hard, and how long. */
export interface Intensity {
  readonly keyedSenders: number;
  readonly unkeyedSenders: number;
  readonly restMs: number;
  /** Milliseconds before the fault, of the fault, and after it healed. */
  readonly beforeMs: number;
  readonly faultMs: number;
  readonly afterMs: number;
}

/** What one experiment showed. */
export interface Row {
  readonly fault: string;
  readonly keyed: Ledger;
  readonly unkeyed: Ledger;
  /** Distinct tracking ids, and messages, that came out of the queue. */
  readonly distinctQueued: number;
  readonly messagesQueued: number;
  /** Accepted (202) and not in the queue. */
  readonly missing: number;
  /** Refused for good (not 500), and in the queue all the same. */
  readonly refusedAndQueued: number;
  /** Keys that two tracking ids were told for, or queued under. */
  readonly keysWithTwoIds: number;
  /** Counter minus distinct tracking ids queued, for keyed and unkeyed senders. */
  readonly keyedDrift: number;
  readonly unkeyedDrift: number;
  readonly slowestMs: number;
  /** Milliseconds from the healing to /readyz 200 on every gateway. */
  readonly readyMs: number;
  /** Messages of senders that hung up before their answer. */
  readonly hungUp: number;
  /** Growth of the largest gateway's resident memory, MiB. */
  readonly grownMiB: number;
  readonly healthzFailures: number;
  readonly unforeseen: readonly string[];
  /** What must not be; empty = the experiment passed. */
  readonly violations: readonly string[];
}

/** Milliseconds within which every answer must come while something is broken. */
const ANSWER_LIMIT_MS = 3000;
/** Milliseconds within which a gateway must be ready again once its services are back. */
const READY_LIMIT_MS = 10_000;
type Measured = Pick<Row, 'readyMs' | 'grownMiB' | 'healthzFailures' | 'unforeseen'>;

/** Compares what was told, what is queued and what is counted. */
export function compare(
  fault: string,
  keyed: Ledger,
  unkeyed: Ledger,
  consumer: Consumer,
  [keyedCount = 0, unkeyedCount = 0]: readonly number[],
  measured: Measured,
): Omit<Row, 'violations'> {
  const queuedByMessage = new Map<string, Set<string>>();
  for (const [id, text] of consumer.texts) {
    const ids = queuedByMessage.get(text) ?? new Set();
    queuedByMessage.set(text, ids.add(id));
  }
  let missing = 0;
  for (const ledger of [keyed, unkeyed]) {
    for (const ids of ledger.accepted.values())
      for (const id of ids) if (!consumer.deliveries.has(id)) missing += 1;
  }
  let keysWithTwoIds = 0;
  for (const [message, told] of keyed.ids) {
    if (new Set([...told, ...(queuedByMessage.get(message) ?? [])]).size > 1) keysWithTwoIds += 1;
  }
  const keyedMessages = new Set([...keyed.ids.keys(), ...keyed.begun]);
  const unkeyedDistinct = [...consumer.texts.values()].filter(
    (text) => !keyedMessages.has(text) && text !== 'hung up',
  ).length;
  const keyedDistinct = [...consumer.texts.values()].filter((text) => keyedMessages.has(text)).length;
  return {
    fault,
    keyed,
    unkeyed,
    distinctQueued: consumer.deliveries.size,
    messagesQueued: [...consumer.deliveries.values()].reduce((sum, count) => sum + count, 0),
    missing,
    refusedAndQueued: [...keyed.refused].filter((message) => queuedByMessage.has(message)).length,
    keysWithTwoIds,
    keyedDrift: keyedCount - keyedDistinct,
    unkeyedDrift: unkeyedCount - unkeyedDistinct,
    hungUp: [...consumer.texts.values()].filter((text) => text === 'hung up').length,
    slowestMs: Math.max(keyed.slowestMs, unkeyed.slowestMs),
    ...measured,
  };
}

/**
 * Units that may stay counted without a message, see docs/reliability.md: those of unkeyed requests in flight at each kill
 * of a gateway. (With a key, the retry goes on with the unit of the dead attempt.)
 */
export function lostUnitsAllowed(faults: readonly Fault[], { unkeyedSenders, faultMs }: Intensity): number {
  return faults.some((fault) => fault.killsGateway === true) ? unkeyedSenders * Math.ceil(faultMs / 700) : 0;
}

/** Returns what must not be, in words; none = the experiment passed. */
export function violationsOf(
  row: Omit<Row, 'violations'>,
  lostUnits: number,
  intensity: Intensity,
  faults: readonly Fault[],
): string[] {
  const inFlight = intensity.keyedSenders + intensity.unkeyedSenders;
  const found: string[] = [];
  // What strikes again and again leaves unknown outcomes again and again.
  const strikes = Math.ceil(intensity.faultMs / 300);
  const must = (holds: boolean, what: string): void => void (holds || found.push(what));
  must(row.missing === 0, `${row.missing} accepted messages are missing`);
  must(row.keysWithTwoIds === 0, `${row.keysWithTwoIds} keys have two tracking ids`);
  const forgets = faults.some((fault) => fault.forgets === true);
  const stopsMs = Math.max(...faults.map((fault) => fault.stopsMs ?? 0));
  must(row.refusedAndQueued === 0 || forgets, `${row.refusedAndQueued} refused messages are queued`);
  // A Redis that forgot has counted less than was queued; nothing else may drift.
  must(row.keyedDrift === 0 || forgets, `the keyed quota drifted by ${row.keyedDrift}`);
  // Without a key nobody asks again: the unit of an unknown outcome is kept, whether the message arrived or not, and so is
  // one whose reply was lost.
  const unknown = row.unkeyed.unknown + row.unkeyed.unanswered;
  const lostReplies = faults.some(({ target }) => target === 'redis')
    ? intensity.unkeyedSenders * strikes
    : 0;
  must(
    (row.unkeyedDrift >= 0 || forgets) && row.unkeyedDrift <= lostUnits + unknown + lostReplies,
    `the unkeyed quota drifted by ${row.unkeyedDrift} (${unknown} unknown outcomes)`,
  );
  const unanswered = row.distinctQueued - row.keyed.accepted.size - row.unkeyed.accepted.size - row.hungUp;
  must(unanswered <= inFlight * strikes, `${unanswered} messages are queued that no 202 was given for`);
  must(row.slowestMs <= ANSWER_LIMIT_MS + stopsMs, `the slowest answer took ${Math.round(row.slowestMs)} ms`);
  must(row.readyMs <= READY_LIMIT_MS, `ready only after ${Math.round(row.readyMs)} ms`);
  must(row.grownMiB < 60, `memory grew by ${Math.round(row.grownMiB)} MiB`);
  must(row.healthzFailures === 0, `/healthz failed ${row.healthzFailures} times`);
  must(row.unforeseen.length === 0, `unforeseen: ${row.unforeseen[0]?.slice(0, 300)}`);
  must(
    row.keyed.accepted.size + row.keyed.refused.size === row.keyed.messages,
    'a keyed message has no decision',
  );
  must(row.keyed.accepted.size > 0, 'nothing was accepted');
  return found;
}
