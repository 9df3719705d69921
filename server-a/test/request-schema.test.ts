/**
 * The quick look and the schema are one: whatever the one accepts the other accepts, as the same request. Bodies are made
 * near the limits, where the two could part.
 */
import test from 'ava';
import fc from 'fast-check';
import { fullCheck, quickCheck } from '../src/request-schema.js';
import { sendBody } from './support/send-bodies.js';

test('request schema: any body -> the quick look accepts exactly what the schema accepts, as the same request', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(sendBody, (value) => {
      const quick = quickCheck(value);
      const full = fullCheck(value);
      if ('request' in full) accepted += 1;
      t.deepEqual(quick, 'request' in full ? full : undefined);
    }),
    { numRuns: 20_000 },
  );
  t.true(accepted > 100, `only ${accepted} bodies were valid: the property shows nothing`);
});

test('request schema: several faults -> each field once, with what would be right', (t) => {
  const checked = fullCheck({ to: 5, text: '', ttl_seconds: '60', providers: 'x', more: 1 });
  t.true('faults' in checked);
  if (!('faults' in checked)) return;
  t.deepEqual(
    checked.faults.map(({ field }) => field),
    ['to', 'text', 'ttl_seconds', 'providers', 'more'],
  );
});
