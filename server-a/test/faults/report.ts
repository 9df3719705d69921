import type { Ledger } from './ledger.js';
import type { Row } from './verdict.js';

const COLUMNS: readonly {
  readonly title: string;
  readonly width: number;
  readonly of: (row: Row) => string | number;
}[] = [
  { title: 'fault', width: 70, of: (row) => row.fault },
  { title: 'messages', width: 9, of: (row) => row.keyed.messages + row.unkeyed.messages },
  { title: 'requests', width: 9, of: (row) => row.keyed.attempts + row.unkeyed.attempts },
  { title: 'accepted', width: 9, of: (row) => row.keyed.accepted.size + row.unkeyed.accepted.size },
  { title: 'refused', width: 8, of: ({ keyed, unkeyed }) => refused(keyed) + refused(unkeyed) },
  {
    title: 'unknown',
    width: 8,
    of: ({ keyed, unkeyed }) => keyed.unknown + keyed.unanswered + unkeyed.unknown + unkeyed.unanswered,
  },
  { title: 'ids', width: 7, of: (row) => row.distinctQueued },
  { title: 'queued', width: 7, of: (row) => row.messagesQueued },
  { title: 'missing', width: 8, of: (row) => row.missing },
  { title: 'two ids', width: 8, of: (row) => row.keysWithTwoIds },
  { title: 'drift', width: 6, of: (row) => row.keyedDrift },
  { title: 'unkeyed', width: 8, of: (row) => row.unkeyedDrift },
  { title: 'slowest', width: 9, of: (row) => `${Math.round(row.slowestMs)} ms` },
  { title: 'ready', width: 8, of: (row) => `${Math.round(row.readyMs)} ms` },
  { title: 'MiB', width: 5, of: (row) => Math.round(row.grownMiB) },
];

/** Answers that said that the message is certainly not in the broker. */
function refused({ statuses, unknown }: Ledger): number {
  return (statuses.get(500) ?? 0) - unknown;
}

/** The table's head. */
export function headline(): string {
  return COLUMNS.map(({ title, width }, index) =>
    index === 0 ? title.padEnd(width) : title.padStart(width),
  ).join(' ');
}

/** One row of the table. */
export function line(row: Row): string {
  return COLUMNS.map(({ width, of }, index) => {
    const text = String(of(row));
    return index === 0 ? text.padEnd(width) : text.padStart(width);
  }).join(' ');
}

/** Closing lines: totals, and how many experiments passed. */
export function summary(rows: readonly Row[]): string {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const failed = rows.filter((row) => row.violations.length > 0).length;
  return [
    `${sum((row) => row.keyed.messages)} keyed messages, ${sum((row) => row.keyed.attempts)} keyed requests;`,
    `accepted and missing: ${sum((row) => row.missing)}, keys with two ids: ${sum((row) => row.keysWithTwoIds)}`,
    `\nfaults: ${rows.length - failed} passed, ${failed} failed`,
  ].join(' ');
}
