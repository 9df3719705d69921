import test from 'ava';
import fc from 'fast-check';
import { jsonFaultPosition } from '../../../src/config/json-position.js';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

for (const [text, line, column] of [
  ['{\n  "a": 1,\n  "b": }', 3, 8],
  ['{"a":1,}', 1, 8],
  ['{"a":1', 1, 7],
  ["{'a':1}", 1, 2],
  ['{"a":1} x', 1, 9],
  ['{"a":01}', 1, 7],
  ['{"a":[1,2}', 1, 10],
  ['{"a" 1}', 1, 6],
  ['{"a":"\n"}', 1, 6],
  ['', 1, 1],
] as const) {
  test(`JSON's position: ${JSON.stringify(text)} -> line ${line}, column ${column}`, (t) => {
    t.deepEqual(jsonFaultPosition(text), { line, column });
  });
}

test("JSON's position: any text, and any JSON with a few characters changed -> a fault where JSON.parse finds one", (t) => {
  const changed = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', ':', '0', ' ', '\\', '{', 'e'))
    .map(([text, place, put]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + put + text.slice(at + 1);
    });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), changed), (text) => {
      t.is(jsonFaultPosition(text) === undefined, isJson(text), text);
    }),
    { numRuns: 2000 },
  );
});

test("JSON's position: brackets without end -> found, and the stack holds", (t) => {
  t.deepEqual(jsonFaultPosition('['.repeat(200_000)), { line: 1, column: 200_001 });
});
