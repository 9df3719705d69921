/** Any text, for property tests. */
import fc, { type Arbitrary, type StringConstraints } from 'fast-check';

const SURROGATES = { from: 0xd800, count: 0x800 };
const LAST = 0x10ffff - SURROGATES.count;

/** Any character but half of a pair. fast-check's own (`unit: 'binary'`) writes down all million of them first. */
const character = fc
  .integer({ min: 0, max: LAST })
  .map((n) => String.fromCodePoint(n < SURROGATES.from ? n : n + SURROGATES.count), placeOf);

function placeOf(value: unknown): number {
  const [only, more] = typeof value === 'string' ? value : '';
  const point = only?.codePointAt(0);
  if (point === undefined || more !== undefined) throw new Error('not one character');
  if (point < SURROGATES.from) return point;
  if (point < SURROGATES.from + SURROGATES.count) throw new Error('half of a pair');
  return point - SURROGATES.count;
}

/** Returns text of any characters. */
export function anyText(constraints: Omit<StringConstraints, 'unit'> = {}): Arbitrary<string> {
  return fc.string({ ...constraints, unit: character });
}
