import test from 'ava';
import fc from 'fast-check';
import { Command } from 'ioredis';
import { keyNames } from '../../../src/redis/keys.js';
import { slotOf } from '../../../src/redis/slots.js';

test('slotOf: any key -> the slot that ioredis gives it', (t) => {
  // With braces in the parts ioredis is not right: it looks for another pair behind an empty one.
  const part = fc.stringMatching(/^[\x21-\x7a|~]{1,20}$/);
  fc.assert(
    fc.property(part, part, part, (before, within, after) => {
      for (const key of [before, `${before}{${within}}${after}`, `{${within}`, `}${within}{${after}}`]) {
        t.is(slotOf(key), new Command('get', [key]).getSlot(), key);
      }
    }),
  );
});

test('slotOf: empty braces first -> the slot of the whole key, as the specification of Redis Cluster has it', (t) => {
  t.is(slotOf('foo{}{bar}'), 8363);
  t.is(slotOf('foo{{bar}}zap'), slotOf('{bar'));
  t.is(slotOf('foo{bar}{zap}'), slotOf('bar'));
  t.is(slotOf('123456789'), 0x31c3);
});

test('keyNames: with a cluster -> all keys of a client are of one slot, whatever the key', (t) => {
  const names = keyNames('cluster', 'quota');
  t.is(names.record('acme', 'a{b}c'), 'idem:{acme}:a{b}c');
  t.is(names.counter('acme', '2026-11-23'), 'quota:{acme}:2026-11-23');
  t.is(names.bucket('acme'), 'rate:{acme}');
  t.is(names.refusals('acme'), 'refused:{acme}');
  const text = fc.stringMatching(/^[\x21-\x7e]{1,40}$/);
  fc.assert(
    fc.property(
      text,
      (key) => slotOf(names.record('acme', key)) === slotOf(names.counter('acme', '2026-11-23')),
    ),
  );
});

for (const mode of ['single', 'sentinel'] as const) {
  test(`keyNames: with ${mode} -> as the specification has them`, (t) => {
    const names = keyNames(mode, 'quota');
    t.is(names.record('acme', 'key'), 'idem:acme:key');
    t.is(names.counter('acme', '2026-11-23'), 'quota:acme:2026-11-23');
    t.is(names.bucket('acme'), 'rate:acme');
    t.is(names.refusals('acme'), 'refused:acme');
  });
}
