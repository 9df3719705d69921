/** What is allowed in a configuration and yet looks wrong. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { configWarnings } from '../../src/config/warnings.js';
import { Authority } from '../support/certificates.js';
import { configOf, many, PROVIDERS } from '../support/configs.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-warnings-'));
const authority = await Authority.create(join(folder, 'authority'), 'Test authority');
const expired = await authority.issue({ name: 'expired', expired: true });
test.after.always(() => rm(folder, { recursive: true }));

/** Variables and messages of the warnings. */
function warningsOf(...given: Parameters<typeof configOf>): string[] {
  return configWarnings(configOf(...given)).map(({ variable, message }) => `${variable} ${message}`);
}

test('warnings: a usual configuration -> none', (t) => t.deepEqual(warningsOf(many(3)), []));

const NOT_USED = {
  REDIS_TLS_CA_FILE: authority.cert,
  RABBITMQ_TLS_CA_FILE: authority.cert,
  RABBITMQ_URL: 'amqps://r',
};
const EXPIRED = {
  REDIS_URL: 'rediss://r',
  REDIS_TLS_CERT_FILE: expired.cert,
  REDIS_TLS_KEY_FILE: expired.key,
};
const QUOTA_0 = { quota_0_key: { name: 'Zero', daily_quota: 0 } };
const TWINS = { key_of_one: { name: 'Same' }, key_of_two: { name: 'Same' } };
const SHORT = { SHUTDOWN_TIMEOUT_MS: '200' };
const IGNORED = { RABBITMQ_URL: 'amqp://r/?heartbeat=3&connection_attempts=5' };

const WARNINGS: readonly (readonly [string, Parameters<typeof configOf>, RegExp])[] = [
  ['no client', [{}], /^CLIENT_CONFIG has no active client/],
  [
    'no active client',
    [{ some_key: { name: 'One', is_active: false } }],
    /^CLIENT_CONFIG has no active client/,
  ],
  ['a quota of 0', [QUOTA_0], /^CLIENT_CONFIG has active clients with a quota of 0: "Zero"$/],
  ['two clients of one name', [TWINS], /^CLIENT_CONFIG has names of more than one client, .*: "Same"$/],
  ['no available provider', [many(1), {}, { Beta: PROVIDERS.Beta }], /^PROVIDERS_CONFIG has no provider/],
  [
    'a TLS file and no TLS',
    [many(1), NOT_USED],
    /^REDIS_TLS_CA_FILE is not used: REDIS_URL asks for no TLS$/,
  ],
  [
    'a certificate that has expired',
    [many(1), EXPIRED],
    /^REDIS_TLS_CERT_FILE names a certificate that has expired/,
  ],
  ['a short shutdown', [many(1), SHORT], /^SHUTDOWN_TIMEOUT_MS is shorter than PUBLISH_TIMEOUT_MS/],
  [
    'a parameter nobody knows',
    [many(1), IGNORED],
    /^RABBITMQ_URL has parameters that are ignored: "connection_attempts"$/,
  ],
];

for (const [circumstance, given, warning] of WARNINGS) {
  test(`warnings: ${circumstance} -> one that says so`, (t) => {
    const [first = '', ...others] = warningsOf(...given);
    t.regex(first, warning);
    t.deepEqual(others, []);
  });
}

test('warnings: no available provider and no gate -> none', (t) => {
  t.deepEqual(warningsOf(many(1), { PROVIDER_GATE_ENABLED: 'false' }, {}), []);
});

test('warnings: a certificate that is not valid yet -> one that says so', (t) => {
  const config = configOf(many(1), { REDIS_URL: 'rediss://r', REDIS_TLS_CA_FILE: authority.cert });
  const [warning] = configWarnings(config, new Date('2020-01-01'));
  t.regex(warning?.message ?? '', /is not valid yet/);
});
