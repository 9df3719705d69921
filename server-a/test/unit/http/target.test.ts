import test from 'ava';
import fc from 'fast-check';
import { pathOfTarget } from '../../../src/http/target.js';
import { anyText } from '../../support/any-text.js';

test('target: a path, with or without a query -> itself', (t) => {
  for (const target of ['/', '/api/v1/sms/send', '/a?b=c&d=[]', '//x', '/%zz', '/[::1']) {
    t.is(pathOfTarget(target), target);
  }
});

test('target: an http URL -> its path and query', (t) => {
  t.is(pathOfTarget('http://x/a?b'), '/a?b');
  t.is(pathOfTarget('HTTPS://user@[::1]:8000'), '/');
  t.is(pathOfTarget('http://x/a/../b'), '/b');
});

test('target: anything else -> none', (t) => {
  for (const target of [
    '',
    '*',
    'x',
    'x:80',
    'ftp://x/',
    'http:/x',
    'http://',
    'http://[::1/',
    'http://x:y/',
    '/#',
    '/a b',
    '/é',
  ]) {
    t.is(pathOfTarget(target), undefined, target);
  }
});

const encoded = anyText().map((text) => encodeURIComponent(text));
const urls = fc
  .tuple(fc.constantFrom('http', 'https'), fc.domain(), fc.array(encoded), fc.option(encoded))
  .map(
    ([scheme, host, path, query]) =>
      `${[`${scheme}://${host}`, ...path].join('/')}${query === null ? '' : `?${query}`}`,
  );

test('target: any text -> none, or a path that is one', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        urls,
        fc.string().map((path) => `http://${path}`),
      ),
      (target) => {
        const path = pathOfTarget(target);
        t.true(path === undefined || /^\/[\x21-\x7e]*$/.test(path), path);
        t.true(path === undefined || pathOfTarget(path) === path);
      },
    ),
    { numRuns: 5000 },
  );
});
