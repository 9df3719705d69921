import test from 'ava';
import { connectionsThatFit } from '../../../src/http/descriptors.js';

const LIMITS = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                  4096                 files\n`;

test('descriptors: a limit of open files -> 128 less for connections, and never none', (t) => {
  t.is(connectionsThatFit(LIMITS('1024')), 896);
  t.is(connectionsThatFit(LIMITS('20')), 1);
});

test('descriptors: no limit, or a system that does not say -> any number of connections', (t) => {
  t.is(connectionsThatFit(LIMITS('unlimited')), Number.POSITIVE_INFINITY);
  t.is(connectionsThatFit(''), Number.POSITIVE_INFINITY);
});

test('descriptors: this process -> a limit that is one', (t) => {
  t.true(connectionsThatFit() >= 1);
});
