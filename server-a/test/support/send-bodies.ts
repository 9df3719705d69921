/** Bodies of send requests near the limits, valid and not, for property tests. */
import fc from 'fast-check';
import { anyText } from './any-text.js';

const LIMIT = 1000;
const character = fc.constantFrom('a', '€', '😀', '\ud800', '\udc00', '\u0000', ' ');
const length = fc.constantFrom(0, 1, 2, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1);
const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('x', '😀'.repeat(LIMIT), 'é'.repeat(LIMIT)) },
  fc.tuple(character, length).map(([one, times]) => one.repeat(times)),
  fc.tuple(character, character, length).map(([one, other, times]) => one + other.repeat(times)),
  anyText(),
);
const odd = fc.constantFrom(null, undefined, true, 0, -0, 1.5, Number.NaN, '', '7', [], {}, [1], ['a'], {
  a: 1,
});
const to = fc.oneof(
  { weight: 4, arbitrary: fc.constant('+989121234567') },
  fc.stringMatching(/^\+[0-9]{6,17}$/),
  fc.constantFrom(
    '+989121234567',
    '+1234567',
    '989121234567',
    '+0912123456',
    '+98912123456\n',
    ' +989121234567',
    '+٩٨٩١٢١٢٣٤',
  ),
  odd,
);
const ttl = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 10, max: 86_400 }) },

  fc.constantFrom(9, 10, 11, 3600, 86_399, 86_400, 86_401, 10.5, 1e3, '60', -60),
  fc.double(),
  odd,
);
const name = fc.oneof(fc.constantFrom('Provider-A', '', '__proto__', 'constructor'), fc.string(), odd);
const providers = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.string(), { maxLength: 3 }) },
  fc.array(name, { maxLength: 3 }),
  fc.constantFrom(0, 31, 32, 33).map((count) => Array.from({ length: count }, (_, n) => `p${n}`)),
  odd,
);
const fields = fc.record(
  { to, text: fc.oneof(text, odd), ttl_seconds: ttl, providers },
  { requiredKeys: [] },
);
const extra = fc.constantFrom(
  '',
  '"unknown":1',
  '"__proto__":{"to":"+989121234567"}',
  '"constructor":1',
  '"TO":"x"',
);

/** Bodies as the gateway gets them: parsed from JSON, so that `__proto__` is a field like any other. */
export const sendBody = fc.oneof(
  fc.tuple(fields, extra).map(([known, more]): unknown => {
    const json = JSON.stringify(known);
    return JSON.parse(more === '' ? json : `${json.slice(0, -1)}${json === '{}' ? '' : ','}${more}}`);
  }),
  fields,
  odd,
  fc.jsonValue(),
);
