/** What is allowed in a configuration and yet looks wrong. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { hashApiKey } from '../../../src/config/api-key.js';
import { configWarnings } from '../../../src/config/warnings.js';
import { Authority } from '../../support/certificates.js';
import { configOf, many, PROVIDERS } from '../../support/configs.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway-test-warnings-'));
const authority = Authority.create(join(folder, 'authority'), 'Test authority');
const expired = authority.issue({ name: 'expired', expired: true });
test.after.always(() => rm(folder, { recursive: true }));

/** Variables and messages of the warnings. */
function warningsOf(...given: Parameters<typeof configOf>): string[] {
  return configWarnings(configOf(...given)).map(({ variable, message }) => `${variable} ${message}`);
}

test('warnings: a usual configuration -> none', (t) => t.deepEqual(warningsOf(many(3)), []));

const NOT_USED = {
  REDIS_TLS_CA_FILE: authority.cert,
  RABBITMQ_TLS_CA_FILE: authority.cert,
  RABBITMQ_URL: 'amqps://gateway:pass-word@r',
};
const EXPIRED = {
  REDIS_URL: 'rediss://r',
  REDIS_TLS_CERT_FILE: expired.cert,
  REDIS_TLS_KEY_FILE: expired.key,
};
const QUOTA_0 = { 'key-with-quota-0': { name: 'Zero', daily_quota: 0 } };
const TWINS = { 'key-of-client-one': { name: 'Same' }, 'key-of-client-two': { name: 'Same' } };
const SHORT = { SHUTDOWN_TIMEOUT_MS: '200' };
const IGNORED = { RABBITMQ_URL: 'amqp://gateway:pass-word@r/?heartbeat=3&connection_attempts=5' };

const EXAMPLE = { api_key_for_service_A: { name: 'One' } };
const EXAMPLE_BY_HASH = {
  [`sha256:${hashApiKey('api_key_for_service_A')}`]: { name: 'One', id: 'one' },
};

const WARNINGS: readonly (readonly [string, Parameters<typeof configOf>, RegExp])[] = [
  ['no client', [{}], /^CLIENT_CONFIG has no active client/],
  [
    'no active client',
    [{ 'key-of-client-one': { name: 'One', is_active: false } }],
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
  [
    'a client with the name that metrics give to strangers',
    [{ 'key-of-client-one': { name: 'unknown' } }],
    /^CLIENT_CONFIG has a client "unknown", as metrics call senders without a valid API key$/,
  ],
  [
    'an API key of 15 characters',
    [{ '123456789-12345': { name: 'One' }, '123456789-123456': { name: 'Two' } }],
    /^CLIENT_CONFIG has API keys of fewer than 16 characters, of "One"$/,
  ],
  [
    'an API key with a wrong checksum',
    [{ smsgw_0000000000000000000000000000000000000: { name: 'One' } }],
    /^CLIENT_CONFIG has API keys whose checksum is wrong, of "One"$/,
  ],
  ['the example key, for all to use', [EXAMPLE, {}], /^CLIENT_CONFIG has the API key of \.env\.example/],
  [
    'the example key by its hash',
    [EXAMPLE_BY_HASH, { SERVER_A_HOST: '::' }],
    /^CLIENT_CONFIG has the API key of \.env\.example/,
  ],
  [
    'guest on another machine',
    [many(1), { RABBITMQ_URL: 'amqp://guest:guest@10.0.0.1/' }],
    /^RABBITMQ_URL logs in as guest/,
  ],
  [
    'guest on the second of two machines',
    [many(1), { RABBITMQ_URL: 'amqp://gateway:pass-word@r1/,amqp://r2/' }],
    /^RABBITMQ_URL logs in as guest/,
  ],
  [
    'no user on another machine',
    [many(1), { RABBITMQ_URL: 'amqps://rabbitmq/' }],
    /^RABBITMQ_URL logs in as guest/,
  ],
  [
    'slots that cannot be divided among two clients',
    [many(2), { MAX_IN_FLIGHT: '4' }],
    /^MAX_IN_FLIGHT is under 5: one client can hold all slots, and the others are refused$/,
  ],
  ['a short shutdown', [many(1), SHORT], /^SHUTDOWN_TIMEOUT_MS is shorter than PUBLISH_TIMEOUT_MS/],
  [
    'a parameter nobody knows',
    [many(1), IGNORED],
    /^RABBITMQ_URL has parameters that are ignored: "connection_attempts"$/,
  ],
  [
    'a cluster of which one node is named',
    [many(1), { REDIS_MODE: 'cluster' }],
    /^REDIS_URL names one node: while that one is away, no gateway can start$/,
  ],
  [
    'users of other nodes than the first',
    [many(1), { REDIS_MODE: 'sentinel', REDIS_URL: 'redis://u:p@r1,redis://r2,redis://u:q@r3' }],
    /^REDIS_URL has users or passwords that are ignored/,
  ],
  [
    'a database in the second of two URLs',
    [many(1), { REDIS_MODE: 'sentinel', REDIS_URL: 'redis://s1/2,redis://s2/3' }],
    /^REDIS_URL names databases that are ignored/,
  ],
  [
    'a password for sentinels, and none',
    [many(1), { REDIS_SENTINEL_PASSWORD: 'pass-word' }],
    /^REDIS_SENTINEL_PASSWORD is not used: REDIS_MODE is single$/,
  ],
  [
    'a RabbitMQ node twice',
    [many(1), { RABBITMQ_URL: 'amqp://a@r1/,amqp://a@r2/,amqp://b@r1/' }],
    /^RABBITMQ_URL names a node more than once: "r1"$/,
  ],
];

for (const [circumstance, given, warning] of WARNINGS) {
  test(`warnings: ${circumstance} -> one that says so`, (t) => {
    const [first = '', ...others] = warningsOf(...given);
    t.regex(first, warning);
    t.deepEqual(others, []);
  });
}

for (const host of ['127.0.0.1', '127.3.2.1', 'localhost', '::1', '::ffff:127.0.0.1']) {
  test(`warnings: the example key and guest, all on ${host} -> none`, (t) => {
    const inUrl = host.includes(':') ? `[${host}]` : host;
    t.deepEqual(
      warningsOf(EXAMPLE, { SERVER_A_HOST: host, RABBITMQ_URL: `amqp://guest:guest@${inUrl}/` }),
      [],
    );
  });
}

test('warnings: guest with a password of its own -> none', (t) => {
  t.deepEqual(warningsOf(many(1), { RABBITMQ_URL: 'amqp://guest:another@rabbitmq/' }), []);
});

test('warnings: no available provider and no gate -> none', (t) => {
  t.deepEqual(warningsOf(many(1), { PROVIDER_GATE_ENABLED: 'false' }, {}), []);
});

test('warnings: a certificate that is not valid yet -> one that says so', (t) => {
  const config = configOf(many(1), { REDIS_URL: 'rediss://r', REDIS_TLS_CA_FILE: authority.cert });
  const [warning] = configWarnings(config, new Date('2020-01-01'));
  t.regex(warning?.message ?? '', /is not valid yet/);
});

test('warnings: a file that is mounted by itself -> one that says to mount its folder', (t) => {
  const [warning, ...others] = configWarnings({ ...configOf(many(1)), fixedFiles: ['CLIENT_CONFIG_FILE'] });
  t.is(warning?.variable, 'CLIENT_CONFIG_FILE');
  t.regex(warning?.message ?? '', /mounted by itself.*: mount its folder$/);
  t.deepEqual(others, []);
});
