/** The table of outcomes, row by row, as the decisions have it; not computed from anything. */
import test from 'ava';
import { type AttemptFacts, type Outcome, outcomeOf, PUBLISH_ENDS } from '../../../src/attempt/outcomes.js';

/** What an attempt was: without a key, with a key of its own, or with one taken over from an earlier attempt. */
const KINDS = {
  unkeyed: { keyed: false, openBefore: false },
  claimed: { keyed: true, openBefore: false },
  'taken over': { keyed: true, openBefore: true },
} as const;

type Row = readonly [
  AttemptFacts['end'],
  keyof typeof KINDS,
  Outcome['accepted'],
  Outcome['ending'],
  Outcome['unit'],
];

const TABLE: readonly Row[] = [
  ['confirmed', 'unkeyed', 'yes', undefined, 'kept'],
  ['confirmed', 'claimed', 'yes', 'answered', 'kept'],
  ['confirmed', 'taken over', 'yes', 'answered', 'kept'],
  ['returned', 'unkeyed', 'no', undefined, 'given_back'],
  ['returned', 'claimed', 'no', 'not_sent', 'given_back'],
  ['returned', 'taken over', 'unknown', 'not_sent', 'kept'],
  ['not_sent', 'unkeyed', 'no', undefined, 'given_back'],
  ['not_sent', 'claimed', 'no', 'not_sent', 'given_back'],
  ['not_sent', 'taken over', 'unknown', 'not_sent', 'kept'],
  ['nacked', 'unkeyed', 'unknown', undefined, 'kept'],
  ['nacked', 'claimed', 'unknown', 'unknown', 'kept'],
  ['nacked', 'taken over', 'unknown', 'unknown', 'kept'],
  ['timed_out', 'unkeyed', 'unknown', undefined, 'kept'],
  ['timed_out', 'claimed', 'unknown', 'held', 'kept'],
  ['timed_out', 'taken over', 'unknown', 'held', 'kept'],
  ['connection_lost', 'unkeyed', 'unknown', undefined, 'kept'],
  ['connection_lost', 'claimed', 'unknown', 'unknown', 'kept'],
  ['connection_lost', 'taken over', 'unknown', 'unknown', 'kept'],
];

test('outcomes: the table -> has a row for each end of each kind of attempt', (t) => {
  const all = PUBLISH_ENDS.flatMap((end) => Object.keys(KINDS).map((kind) => `${end}, ${kind}`));
  t.deepEqual(TABLE.map(([end, kind]) => `${end}, ${kind}`).sort(), all.sort());
  t.is(TABLE.length, 18);
});

for (const [end, kind, accepted, ending, unit] of TABLE) {
  test(`outcomes: ${end}, ${kind} -> ${accepted}, ${ending ?? 'nothing to settle'}, unit ${unit}`, (t) => {
    t.deepEqual(outcomeOf({ end, ...KINDS[kind] }), { accepted, ending, unit });
  });
}

test('outcomes: a sender is told "no" -> only where nothing may be in the broker, and the unit is given back', (t) => {
  for (const end of PUBLISH_ENDS) {
    for (const kind of Object.values(KINDS)) {
      const { accepted, unit } = outcomeOf({ end, ...kind });
      t.is(accepted === 'no', unit === 'given_back', `${end} ${JSON.stringify(kind)}`);
    }
  }
});
