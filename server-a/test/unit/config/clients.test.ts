/** Who a client is: ids, several API keys for one client, keys that stand there by their hash, keys that end. */
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { runCommandLine } from '../../../src/command-line/run.js';
import { hashApiKey, isMistyped, newApiKey } from '../../../src/config/api-key.js';
import { hasExpired } from '../../../src/config/clients.js';
import { ConfigError, faultLines } from '../../../src/config/faults.js';
import { configSummary } from '../../../src/config/summary.js';
import { configWarnings } from '../../../src/config/warnings.js';
import { type ClientGiven, configOf } from '../../support/configs.js';
import { asObject } from '../../support/json.js';

const newKey = () => `test-key-${randomBytes(9).toString('hex')}`;
const [OLD, NEW, OTHER] = [newKey(), newKey(), newKey()];
const hashed = (key: string) => `sha256:${hashApiKey(key)}`;

/** Faults of a configuration with these clients; none shows a key. */
function faultsOf(clients: Readonly<Record<string, ClientGiven>>): string {
  try {
    configOf(clients);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = faultLines(error.faults);
    for (const key of [OLD, NEW, OTHER]) if (lines.includes(key)) throw new Error(`a key is shown: ${lines}`);
    return lines;
  }
}

const registryOf = (clients: Readonly<Record<string, ClientGiven>>) => configOf(clients).registry;
const clientOf = (registry: ReturnType<typeof registryOf>, key: string) =>
  registry.apiKeysByHash.get(hashApiKey(key))?.client;

test('clients: no id -> the API key is the id', (t) => {
  const registry = registryOf({ [OLD]: { name: 'One' } });
  t.is(clientOf(registry, OLD)?.id, OLD);
  t.is(clientOf(registry, NEW), undefined);
});

test('clients: two API keys with one id -> one client, and each key with its own mask and end', (t) => {
  const registry = registryOf({
    [OLD]: { name: 'One', id: 'finance', not_after: '2030-01-31T12:00:00+03:30' },
    [hashed(NEW)]: { name: 'One', id: 'finance' },
  });
  t.is(registry.clients.length, 1);
  t.is(clientOf(registry, OLD), clientOf(registry, NEW));
  t.is(clientOf(registry, NEW)?.id, 'finance');
  const keys = [OLD, NEW].map((key) => registry.apiKeysByHash.get(hashApiKey(key)));
  t.deepEqual(
    keys.map((key) => key?.maskedKey),
    ['test-k***', `sha256:${hashApiKey(NEW).slice(0, 6)}***`],
  );
  t.deepEqual(
    keys.map((key) => key?.notAfterMs),
    [Date.UTC(2030, 0, 31, 8, 30), undefined],
  );
  const [shown] = configSummary(configOf({ [OLD]: { name: 'One', not_after: '2030-01-31T00:00:00Z' } }))
    .clients.listed;
  t.is(shown?.masked_key, 'test-k*** (until 2030-01-31T00:00:00.000Z)');
});

test('clients: the old API key as the id of the new one -> the same client', (t) => {
  const registry = registryOf({ [OLD]: { name: 'One' }, [hashed(NEW)]: { name: 'One', id: OLD } });
  t.is(registry.clients.length, 1);
  t.is(clientOf(registry, NEW)?.id, OLD);
  // And when the old key is gone.
  t.is(clientOf(registryOf({ [hashed(NEW)]: { name: 'One', id: OLD } }), NEW)?.id, OLD);
});

const FAULTS: readonly (readonly [string, Readonly<Record<string, ClientGiven>>, RegExp])[] = [
  [
    'sha256: without an id',
    { [hashed(OLD)]: { name: 'One' } },
    /^ {2}CLIENT_CONFIG\[client 1\]\.id is required with sha256: \(client "(?:One|Two)"\)\n$/,
  ],
  [
    'sha256: and 63 digits',
    { [hashed(OLD).slice(0, -1)]: { name: 'One', id: 'a' } },
    /^ {2}CLIENT_CONFIG\[client 1\] begins with sha256:/,
  ],
  [
    'a key, and its hash',
    { [OLD]: { name: 'One' }, [hashed(OLD).toUpperCase().replace('SHA', 'sha')]: { name: 'One', id: OLD } },
    /^ {2}CLIENT_CONFIG\[client 2\] has the API key of \[client 1\] \(client "(?:One|Two)"\)\n$/,
  ],
  ...(['name', 'is_active', 'daily_quota', 'max_per_second'] as const).map(
    (field): readonly [string, Readonly<Record<string, ClientGiven>>, RegExp] => [
      `one id, and another ${field}`,
      {
        [OLD]: { name: 'One', id: 'a' },
        [NEW]: {
          name: 'One',
          id: 'a',
          ...{
            name: { name: 'Two' },
            is_active: { is_active: false },
            daily_quota: { daily_quota: 10 },
            max_per_second: { max_per_second: 7 },
          }[field],
        },
      },
      /^ {2}CLIENT_CONFIG\[client 2\] must have the name, is_active, daily_quota and max_per_second of \[client 1\]: their id is the same \(client "(?:One|Two)"\)\n$/,
    ],
  ),
  [
    "an id that is another client's API key",
    { [OLD]: { name: 'One', id: NEW }, [NEW]: { name: 'Two', id: 'two' } },
    /^ {2}CLIENT_CONFIG\[client 1\]\.id must not be the API key of another client \(\[client 2\]\) \(client "(?:One|Two)"\)\n$/,
  ],
  [
    "an id that is another client's API key, which is there by its hash",
    { [hashed(NEW)]: { name: 'Two', id: 'two' }, [OLD]: { name: 'One', id: NEW } },
    /^ {2}CLIENT_CONFIG\[client 2\]\.id must not be the API key of another client \(\[client 1\]\) \(client "(?:One|Two)"\)\n$/,
  ],
  ...[':', '{', '}', '\0', ' ', 'é'].flatMap(
    (character): (readonly [string, Readonly<Record<string, ClientGiven>>, RegExp])[] => [
      [
        `an id with ${JSON.stringify(character)}`,
        { [OLD]: { name: 'One', id: `a${character}b` } },
        /^ {2}CLIENT_CONFIG\[client 1\]\.id must be 1 to 255 visible ASCII characters without ":", "\{" and "\}" \(client "(?:One|Two)"\)\n$/,
      ],
      [
        `an API key with ${JSON.stringify(character)}`,
        { [`${OTHER}${character}b`]: { name: 'One' } },
        /^ {2}CLIENT_CONFIG\[client 1\] has an API key that is not 1 to 255 visible ASCII characters/,
      ],
    ],
  ),
  ...['2030-01-31', '2030-01-31T00:00:00', '2030-02-30T00:00:00Z', '2030-01-31T25:00:00Z', 'never', ''].map(
    (not_after): readonly [string, Readonly<Record<string, ClientGiven>>, RegExp] => [
      `not_after ${JSON.stringify(not_after)}`,
      { [OLD]: { name: 'One', not_after } },
      /^ {2}CLIENT_CONFIG\[client 1\]\.not_after must be a time with its offset, such as 2027-01-31T00:00:00Z \(client "(?:One|Two)"\)\n$/,
    ],
  ),
];

for (const [circumstance, clients, expected] of FAULTS) {
  test(`clients: ${circumstance} -> one fault that says so`, (t) => t.regex(faultsOf(clients), expected));
}

test('clients: a key at its end, and a millisecond later -> good, and expired', (t) => {
  const notAfterMs = Date.UTC(2030, 0, 31);
  t.false(hasExpired({ notAfterMs }, notAfterMs));
  t.true(hasExpired({ notAfterMs }, notAfterMs + 1));
  t.false(hasExpired({ notAfterMs: undefined }, Number.MAX_SAFE_INTEGER));
  const config = configOf({ [OLD]: { name: 'One', not_after: '2030-01-31T00:00:00Z' } });
  t.deepEqual(configWarnings(config, new Date(notAfterMs)), []);
  t.regex(
    configWarnings(config, new Date(notAfterMs + 1))[0]?.message ?? '',
    /^has API keys that have expired, of "One"$/,
  );
});

test('new API key: a thousand -> all different, none mistyped', (t) => {
  const keys = Array.from({ length: 1000 }, newApiKey);
  t.is(new Set(keys).size, keys.length);
  for (const key of keys) {
    t.regex(key, /^smsgw_[0-9A-Za-z]{38}$/);
    t.false(isMistyped(key));
  }
});

test('new API key: one character changed, lost or added -> mistyped; another kind of key -> not', (t) => {
  const key = newApiKey();
  for (let at = 'smsgw_'.length; at < key.length; at += 1) {
    const other = key[at] === 'x' ? 'y' : 'x';
    t.true(isMistyped(key.slice(0, at) + other + key.slice(at + 1)), `${at}`);
    t.true(isMistyped(key.slice(0, at) + key.slice(at + 1)), `${at}`);
    t.true(isMistyped(`${key.slice(0, at)}x${key.slice(at)}`), `${at}`);
  }
  t.false(isMistyped(OLD));
});

test('command line: --new-api-key -> a key, and an entry that lets its sender in and does not hold it', (t) => {
  const { stdout = '', stderr, exitCode } = runCommandLine(['--new-api-key'], () => configOf({})) ?? {};
  t.is(exitCode, 0);
  t.is(stderr, '');
  const [key = ''] = /smsgw_\w+/.exec(stdout) ?? [];
  const entry = stdout.split('\n').find((line) => line.includes('"sha256:')) ?? '';
  t.false(entry.includes(key));
  const clients: unknown = JSON.parse(`{${entry.replaceAll('…', 'Name')}}`);
  const [[name = '', fields = undefined] = []] = Object.entries(asObject(clients));
  t.is(name, hashed(key));
  t.deepEqual(fields, { id: 'Name', name: 'Name', is_active: true, daily_quota: 1000 });
});

test('clients: the name in a fault -> not where it may be an API key in the wrong place', (t) => {
  for (const name of [OLD, 'a-secret-without-any-space', 'x'.repeat(16)]) {
    const said = faultsOf({ [OLD]: { name, daily_quota: -1 } });
    t.regex(said, /daily_quota must be 0 or more\n$/);
  }
  t.regex(faultsOf({ [OLD]: { name: 'Bulk', daily_quota: -1 } }), /must be 0 or more \(client "Bulk"\)\n$/);
});
