import test from 'ava';
import fc from 'fast-check';
import { isTooDeep, MOST_LEVELS } from '../../../src/request/json-depth.js';

const isTextTooDeep = (text: string): boolean => isTooDeep(Buffer.from(text));

/** Levels of lists and objects of a parsed value. */
function levelsOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(levelsOf));
}

test('json depth: any JSON within any number of lists and objects -> too deep when its levels are too many', (t) => {
  const around = fc.integer({ min: MOST_LEVELS - 8, max: MOST_LEVELS + 2 });
  let tooDeep = 0;
  const tells = fc.property(
    fc.jsonValue(),
    around,
    fc.boolean(),
    fc.boolean(),
    (core, count, isList, wide) => {
      let value: unknown = core;
      for (let n = 0; n < count; n += 1) value = isList ? [value, ']'] : { '}': value, '"\\': '{' };
      const expected = levelsOf(value) > MOST_LEVELS;
      if (expected) tooDeep += 1;
      return isTextTooDeep(JSON.stringify(value, undefined, wide ? 1 : undefined)) === expected;
    },
  );
  t.notThrows(() => fc.assert(tells));
  t.true(tooDeep > 0);
});

test('json depth: brackets within strings, escaped quotes, levels one after the other -> not counted', (t) => {
  const many = MOST_LEVELS * 2;
  t.false(isTextTooDeep(JSON.stringify('['.repeat(many))));
  t.false(isTextTooDeep(JSON.stringify(`"${'{'.repeat(many)}\\`)));
  t.false(isTextTooDeep(`["\\\\","${'['.repeat(many)}"]`));
  t.false(isTextTooDeep(`[${'[],'.repeat(many)}{}]`));
  t.true(isTextTooDeep(`["\\"",${'['.repeat(many)}`));
  t.true(isTextTooDeep(`["\\\\",${'['.repeat(many)}`));
});

test('json depth: 512 KiB of nothing but levels -> found at once', (t) => {
  t.true(isTextTooDeep('['.repeat(512 * 1024)));
  t.false(isTextTooDeep(''));
});
