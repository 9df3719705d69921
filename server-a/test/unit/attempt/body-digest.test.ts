import test from 'ava';
import fc from 'fast-check';
import { bodyDigest } from '../../../src/attempt/body-digest.js';
import { MOST_LEVELS } from '../../../src/request/json-depth.js';
import { checkSendRequest } from '../../../src/request/schema.js';

const MESSAGE = { to: '+4915112345678', text: 'Hello, "you"', ttl_seconds: 60, providers: ['Alpha', 'Beta'] };

function digestOf(parsed: unknown): string {
  const checked = checkSendRequest(parsed);
  return bodyDigest({ parsed, ...('request' in checked && { request: checked.request }) });
}

test('body digest: the same fields in another order -> the same', (t) => {
  const { to, text, ttl_seconds, providers } = MESSAGE;
  t.is(digestOf({ providers, text, ttl_seconds, to }), digestOf(MESSAGE));
  t.is(digestOf({ text: 1, to }), digestOf({ to, text: 1 }));
});

test('body digest: what is absent, and what is written out as it would be -> the same', (t) => {
  const { to, text } = MESSAGE;
  t.is(digestOf({ to, text, ttl_seconds: 3600, providers: null }), digestOf({ to, text }));
});

test('body digest: any other field, valid or not -> another', (t) => {
  const bodies = [
    MESSAGE,
    { ...MESSAGE, to: '+4915112345679' },
    { ...MESSAGE, text: 'Hello' },
    { ...MESSAGE, ttl_seconds: 61 },
    { ...MESSAGE, providers: ['Beta', 'Alpha'] },
    { ...MESSAGE, providers: [] },
    { ...MESSAGE, providers: null },
    { ...MESSAGE, providers: null, text: '["Alpha"] Hello, "you"' },
    { ...MESSAGE, providers: ['Alpha', 'Beta '] },
    { ...MESSAGE, more: 1 },
    { ...MESSAGE, more: 2 },
    { text: 1 },
    { to: 1 },
    [],
    null,
    'text',
  ];
  t.is(new Set(bodies.map(digestOf)).size, bodies.length);
});

test('body digest: faulty bodies -> told apart as their JSON texts are', (t) => {
  // A field that is none, so that no body is a request.
  const tells = fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
    const [a, b] = [{ none: one }, { none: other }].map(digestOf);
    return (a === b) === (JSON.stringify(one) === JSON.stringify(other));
  });
  t.notThrows(() => fc.assert(tells));
});

for (const [what, levels] of [
  ['lists', (depth: number, core: string) => `${'['.repeat(depth)}${core}${']'.repeat(depth)}`],
  ['objects', (depth: number, core: string) => `${'{"a":'.repeat(depth)}${core}${'}'.repeat(depth)}`],
] as const) {
  test(`body digest: ${what} in one another, as many as a body may have -> a digest like any other`, (t) => {
    const deep = (core: string): unknown => JSON.parse(levels(MOST_LEVELS - 1, core));
    t.is(digestOf(deep('1')), digestOf(deep('1')));
    t.not(digestOf(deep('1')), digestOf(deep('2')));
    t.not(digestOf({ text: deep('1') }), digestOf({ text: deep('2') }));
  });
}

test('body digest: bytes that are no JSON, or none that were read -> told apart', (t) => {
  t.not(bodyDigest({ rawBody: Buffer.from('a') }), bodyDigest({ rawBody: Buffer.from('b') }));
  t.is(bodyDigest({}), '');
});
