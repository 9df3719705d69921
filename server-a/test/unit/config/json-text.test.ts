/** Names that come twice in a JSON text. */
import test from 'ava';
import fc from 'fast-check';
import { repeatedMembers } from '../../../src/config/json-text.js';
import { loadConfig } from '../../../src/config/load.js';
import { configWarnings } from '../../../src/config/warnings.js';

const TEXTS: readonly (readonly [string, string, readonly (readonly (string | number)[])[]])[] = [
  ['no name twice', '{"a":{"b":1},"b":{"b":2},"c":[{"b":1},{"b":2}]}', []],
  ['a name twice', '{"a":1,"b":2,"a":3,"a":4}', [['a']]],
  ['the same name, once with an escape', '{"a":1,"\\u0061":2}', [['a']]],
  ['within another object', '{"a":{"b":1,"c":{},"b":2}}', [['a', 'b']]],
  ['within a list', '[1,[],{"x":"}","x":"{"}]', [[2, 'x']]],
  ['a name that is also a value, with marks in it', '{"a":"a","b":"\\",{\\"a\\":1","c":["a","b"]}', []],
  ['names of every object', '{"__proto__":1,"constructor":2,"__proto__":3}', [['__proto__']]],
  ['behind an empty object and list', '{"a":{},"b":[],"a":null}', [['a']]],
];

for (const [circumstance, text, expected] of TEXTS) {
  test(`repeated members: ${circumstance} -> ${JSON.stringify(expected)}`, (t) => {
    t.deepEqual(repeatedMembers(text), expected);
  });
}

test('repeated members: whatever JSON.stringify writes -> none; one member written twice -> that one', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.string(), fc.jsonValue(), (json, name, value) => {
      t.deepEqual(repeatedMembers(json), []);
      const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
      t.deepEqual(repeatedMembers(`{${member}, ${member}}`), [[name]]);
    }),
  );
});

test('warnings: names twice in the configuration -> each place, and no API key', (t) => {
  const client = (quota: number) => `{"name":"One","is_active":true,"daily_quota":${quota}}`;
  const config = loadConfig({
    RABBITMQ_URL: 'amqp://gateway:pass-word@rabbitmq/',
    TRACKING_ID_SECRET: 'a secret of the tests',
    CLIENT_CONFIG: `{"a-key-of-a-client":${client(1)},"another-key-of-it":{"name":"Two","is_active":false,"is_active":true,"daily_quota":1},"a-key-of-a-client":${client(2)}}`,
    PROVIDERS_CONFIG:
      '{"Alpha":{"is_active":true,"is_operational":true,"is_operational":false},"Alpha":{"is_active":true,"is_operational":true}}',
  });
  const message = 'is given more than once; the last one counts';
  t.deepEqual(configWarnings(config), [
    { variable: 'CLIENT_CONFIG', path: '[client 2].is_active', message },
    { variable: 'CLIENT_CONFIG', path: '[client 1]', message },
    { variable: 'PROVIDERS_CONFIG', path: '["Alpha"].is_operational', message },
    { variable: 'PROVIDERS_CONFIG', path: '["Alpha"]', message },
  ]);
  t.is(config.registry.clients[0]?.dailyQuota, 2);
});
