/** The checks of a send request. That they agree with the schema of openapi.yaml is shown by test/contract/openapi.test.ts. */
import test from 'ava';
import fc from 'fast-check';
import { checkSendRequest } from '../../../src/request/schema.js';
import { sendBody } from '../../support/send-bodies.js';

const TO = '+989121234567';
const faultsOf = (body: unknown): string[] => {
  const checked = checkSendRequest(body);
  return 'faults' in checked ? checked.faults.map(({ field, message }) => `${field} ${message}`) : [];
};

test('request schema: any body -> a request as the sender wrote it, or at least one fault; never both, never thrown', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(sendBody, (body) => {
      const checked = checkSendRequest(body);
      if ('faults' in checked) {
        t.true(checked.faults.length > 0);
        t.is(new Set(checked.faults.map(({ field }) => field)).size, checked.faults.length);
        return;
      }
      accepted += 1;
      const given: Readonly<Record<string, unknown>> = { ...Object(body) };
      t.deepEqual(checked.request, {
        to: given['to'],
        text: given['text'],
        ttlSeconds: given['ttl_seconds'] ?? 3600,
        providers: given['providers'] ?? undefined,
      });
    }),
    { numRuns: 5000 },
  );
  t.true(accepted > 100, `only ${accepted} bodies were valid: the property shows nothing`);
});

test('request schema: several faults -> each field once, with what would be right', (t) => {
  t.deepEqual(faultsOf({ to: 5, text: '', ttl_seconds: '60', providers: 'x', more: 1 }), [
    'to must be an E.164 phone number: + and 7 to 15 digits, the first not 0',
    'text must be a string of 1 to 1000 characters',
    'ttl_seconds must be a whole number from 10 to 86400',
    'providers must be a list of at most 32 provider names',
    'more is not a field of this request',
  ]);
});

for (const [circumstance, body, faults] of [
  ['nothing in it', {}, ['to is required', 'text is required']],
  ['null for what is required', { to: null, text: null }, ['to is required', 'text is required']],
  ['an empty number', { to: '', text: 'x' }, ['to is required']],
  [
    'half of a surrogate pair',
    { to: TO, text: '\ud800' },
    ['text must not contain half of a surrogate pair'],
  ],
  ['no object', [], ['body must be a JSON object']],
  [
    'names of prototypes',
    JSON.parse(`{"to":"${TO}","text":"x","__proto__":1}`),
    ['__proto__ is not a field of this request'],
  ],
] as const) {
  test(`request schema: ${circumstance} -> said of each field`, (t) => t.deepEqual(faultsOf(body), faults));
}
