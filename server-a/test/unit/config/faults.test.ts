/**
 * Every fault of a configuration, by variable and path; and no secret in any of them.
 *
 * Over 250 lines: a list, one case for each fault.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ConfigError, type ConfigFault, faultLines } from '../../../src/config/faults.js';
import { loadConfig } from '../../../src/config/load.js';

const KEY = `secret-${randomBytes(9).toString('hex')}`;
const CLIENT = { name: 'One', is_active: true, daily_quota: 5 };
const PROVIDER = { is_active: true, is_operational: true };

type Variables = Readonly<Record<string, string | undefined>>;

const VALID: Variables = {
  CLIENT_CONFIG: JSON.stringify({ [KEY]: CLIENT }),
  PROVIDERS_CONFIG: JSON.stringify({ Alpha: PROVIDER }),
};

/** Faults of the valid configuration with these changes. */
function faultsOf(changes: Variables): readonly ConfigFault[] {
  try {
    loadConfig({ ...VALID, ...changes });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

/** Places of the faults; none of them may show a secret. */
function placesOf(t: ExecutionContext, changes: Variables): string[] {
  const faults = faultsOf(changes);
  for (const secret of [KEY, 'pass-word']) t.false(faultLines(faults).includes(secret));
  return faults.map(({ variable, path }) => `${variable}${path}`);
}

const clients = (value: unknown) => ({ CLIENT_CONFIG: JSON.stringify({ [KEY]: value }) });
const providers = (value: unknown) => ({ PROVIDERS_CONFIG: JSON.stringify(value) });

/** One fault each: the variables that differ, and the place that must be named. */
const FAULTS: readonly (readonly [string, Variables, string])[] = [
  ['no CLIENT_CONFIG', { CLIENT_CONFIG: undefined }, 'CLIENT_CONFIG'],
  ['an empty PROVIDERS_CONFIG', { PROVIDERS_CONFIG: '' }, 'PROVIDERS_CONFIG'],
  ['CLIENT_CONFIG no JSON', { CLIENT_CONFIG: `{"${KEY}":` }, 'CLIENT_CONFIG'],
  ['CLIENT_CONFIG a list', { CLIENT_CONFIG: `["${KEY}"]` }, 'CLIENT_CONFIG'],
  ['a client that is null', clients(null), 'CLIENT_CONFIG[client 1]'],
  ['a quota as a string', clients({ ...CLIENT, daily_quota: '5' }), 'CLIENT_CONFIG[client 1].daily_quota'],
  [
    'a limit per second of 0',
    clients({ ...CLIENT, max_per_second: 0 }),
    'CLIENT_CONFIG[client 1].max_per_second',
  ],
  [
    'a limit per second of 1.5',
    clients({ ...CLIENT, max_per_second: 1.5 }),
    'CLIENT_CONFIG[client 1].max_per_second',
  ],
  [
    'a limit per second as a string',
    clients({ ...CLIENT, max_per_second: '5' }),
    'CLIENT_CONFIG[client 1].max_per_second',
  ],
  ['a quota below 0', clients({ ...CLIENT, daily_quota: -1 }), 'CLIENT_CONFIG[client 1].daily_quota'],
  ['a quota of 1.5', clients({ ...CLIENT, daily_quota: 1.5 }), 'CLIENT_CONFIG[client 1].daily_quota'],
  ['is_active as a string', clients({ ...CLIENT, is_active: 'true' }), 'CLIENT_CONFIG[client 1].is_active'],
  ['no client name', clients({ ...CLIENT, name: undefined }), 'CLIENT_CONFIG[client 1].name'],
  ['an unknown field of a client', clients({ ...CLIENT, quota: 5 }), 'CLIENT_CONFIG[client 1]'],
  [
    'an API key with a colon',
    { CLIENT_CONFIG: JSON.stringify({ [`${KEY}:x`]: CLIENT }) },
    'CLIENT_CONFIG[client 1]',
  ],
  [
    'an API key with a space',
    { CLIENT_CONFIG: JSON.stringify({ ok: CLIENT, [`${KEY} x`]: CLIENT }) },
    'CLIENT_CONFIG[client 2]',
  ],
  [
    'no is_operational',
    providers({ Alpha: { is_active: true } }),
    'PROVIDERS_CONFIG["Alpha"].is_operational',
  ],
  [
    'an alias twice',
    providers({ Alpha: { ...PROVIDER, aliases: ['one'] }, Beta: { ...PROVIDER, aliases: ['ONE'] } }),
    'PROVIDERS_CONFIG["Beta"].aliases[0]',
  ],
  [
    "an alias that is another provider's name",
    providers({ Alpha: { ...PROVIDER, aliases: ['bETA'] }, Beta: PROVIDER }),
    'PROVIDERS_CONFIG["Alpha"].aliases[0]',
  ],
  [
    'two names alike but for case',
    providers({ Alpha: PROVIDER, ALPHA: PROVIDER }),
    'PROVIDERS_CONFIG["ALPHA"] name',
  ],
  [
    'aliases a string',
    providers({ Alpha: { ...PROVIDER, aliases: 'x' } }),
    'PROVIDERS_CONFIG["Alpha"].aliases',
  ],
  ['a port that is no number', { SERVER_A_PORT: '80a' }, 'SERVER_A_PORT'],
  ['a port over 65535', { SERVER_A_PORT: '65536' }, 'SERVER_A_PORT'],
  ['a flag that is neither', { PROVIDER_GATE_ENABLED: 'maybe' }, 'PROVIDER_GATE_ENABLED'],
  ['a TTL of 0', { IDEMPOTENCY_TTL_SECONDS: '0' }, 'IDEMPOTENCY_TTL_SECONDS'],
  ['an interval of 1.5', { HEARTBEAT_INTERVAL_SECONDS: '1.5' }, 'HEARTBEAT_INTERVAL_SECONDS'],
  ['a Redis URL of another kind', { REDIS_URL: 'http://:pass-word@redis:6379' }, 'REDIS_URL'],
  ['a broker URL that is none', { RABBITMQ_URL: 'guest:pass-word@rabbitmq' }, 'RABBITMQ_URL'],
  ['a queue type that nobody knows', { RABBITMQ_QUEUE_TYPE: 'stream' }, 'RABBITMQ_QUEUE_TYPE'],
  ['a mismatch policy that nobody knows', { IDEMPOTENCY_MISMATCH: 'ignore' }, 'IDEMPOTENCY_MISMATCH'],
  [
    'a file that is not there',
    { CLIENT_CONFIG: undefined, CLIENT_CONFIG_FILE: '/not/there' },
    'CLIENT_CONFIG_FILE',
  ],
  ['a value and a file for it', { CLIENT_CONFIG_FILE: '/etc/hostname' }, 'CLIENT_CONFIG_FILE'],
  ['a file that is a folder', { REDIS_URL_FILE: '/' }, 'REDIS_URL_FILE'],
  ['a Redis URL without a host', { REDIS_URL: 'redis:///0' }, 'REDIS_URL'],
  ['a Redis URL without slashes', { REDIS_URL: 'redis:pass-word@redis' }, 'REDIS_URL'],
  ['a database that is no number', { REDIS_URL: 'redis://:pass-word@redis/one' }, 'REDIS_URL'],
  ['a Redis URL with options', { REDIS_URL: 'redis://redis/0?enableOfflineQueue=true' }, 'REDIS_URL'],
  ['a password with a bare %', { REDIS_URL: 'redis://:pass-word%@redis' }, 'REDIS_URL'],
  ['a broker URL without a host', { RABBITMQ_URL: 'amqp:///' }, 'RABBITMQ_URL'],
  ['a virtual host with a bare %', { RABBITMQ_URL: 'amqp://guest:pass-word@rabbitmq/%' }, 'RABBITMQ_URL'],
  ['a heartbeat that is no number', { RABBITMQ_URL: 'amqp://rabbitmq/?heartbeat=5s' }, 'RABBITMQ_URL'],
  ['a heartbeat over 5', { RABBITMQ_URL: 'amqp://rabbitmq/?heartbeat=6' }, 'RABBITMQ_URL'],
  ['no heartbeat', { RABBITMQ_URL: 'amqp://rabbitmq/?heartbeat=0' }, 'RABBITMQ_URL'],
  ['two heartbeats, one too long', { RABBITMQ_URL: 'amqp://r/?heartbeat=60&heartbeat=5' }, 'RABBITMQ_URL'],
  ['frames too small for RabbitMQ', { RABBITMQ_URL: 'amqp://rabbitmq/?frameMax=8191' }, 'RABBITMQ_URL'],
  [
    'frames from the broker not taken',
    { RABBITMQ_URL: 'amqp://rabbitmq/?maxFrameSize=4096' },
    'RABBITMQ_URL',
  ],
  [
    'less taken than agreed on',
    { RABBITMQ_URL: 'amqp://rabbitmq/?frameMax=262144&maxFrameSize=131072' },
    'RABBITMQ_URL',
  ],
  [
    'a virtual host over 255 bytes',
    { RABBITMQ_URL: `amqp://rabbitmq/${'%C3%B6'.repeat(128)}` },
    'RABBITMQ_URL',
  ],
  ['a locale over 255 bytes', { RABBITMQ_URL: `amqp://rabbitmq/?locale=${'e'.repeat(256)}` }, 'RABBITMQ_URL'],
  ['a service name over 255 bytes', { SERVICE_NAME: 'ö'.repeat(128) }, 'SERVICE_NAME'],
  ['a quota prefix with a colon', { QUOTA_PREFIX: 'quota:eu' }, 'QUOTA_PREFIX'],
  ['a quota prefix with a brace', { QUOTA_PREFIX: '{quota}' }, 'QUOTA_PREFIX'],
  ['a quota prefix with a NUL', { QUOTA_PREFIX: 'quota\0' }, 'QUOTA_PREFIX'],
  ['the quota prefix of idempotency records', { QUOTA_PREFIX: 'idem' }, 'QUOTA_PREFIX'],
  ['two Redis URLs for one Redis', { REDIS_URL: 'redis://r1,redis://r2' }, 'REDIS_URL'],
  ['a mode that nobody knows', { REDIS_MODE: 'ring' }, 'REDIS_MODE'],
  [
    'a second Redis URL that is none',
    { REDIS_MODE: 'cluster', REDIS_URL: 'redis://r1,redis:///' },
    'REDIS_URL',
  ],
  [
    'one Redis with TLS, one without',
    { REDIS_MODE: 'cluster', REDIS_URL: 'rediss://r1,redis://r2' },
    'REDIS_URL',
  ],
  ['a database of a cluster', { REDIS_MODE: 'cluster', REDIS_URL: 'redis://r1/1,redis://r2' }, 'REDIS_URL'],
  ['a second broker URL that is none', { RABBITMQ_URL: 'amqp://r1/,amqp:///' }, 'RABBITMQ_URL'],
  ['a second broker without a scheme', { RABBITMQ_URL: 'amqp://r1:5672,r2:5672' }, 'RABBITMQ_URL'],
  ['brokers of two virtual hosts', { RABBITMQ_URL: 'amqp://r1/a,amqp://r2/b' }, 'RABBITMQ_URL'],
  ['one broker with TLS, one without', { RABBITMQ_URL: 'amqps://r1/,amqp://r2/' }, 'RABBITMQ_URL'],
  ['a word with a space', { QUOTA_PREFIX: 'two words' }, 'QUOTA_PREFIX'],
  ["a queue of the broker's own", { RABBITMQ_OUTBOUND_QUEUE: 'amq.mine' }, 'RABBITMQ_OUTBOUND_QUEUE'],
  [
    'heartbeats among dead letters',
    { RABBITMQ_HEARTBEAT_QUEUE: 'sms.outbound.dead' },
    'RABBITMQ_HEARTBEAT_QUEUE',
  ],
  ['a level that nobody knows', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
  [
    'an unknown field of a provider',
    providers({ Alpha: { ...PROVIDER, alias: [] } }),
    'PROVIDERS_CONFIG["Alpha"]',
  ],
  [
    'one queue for both',
    { RABBITMQ_OUTBOUND_QUEUE: 'same', RABBITMQ_HEARTBEAT_QUEUE: 'same' },
    'RABBITMQ_HEARTBEAT_QUEUE',
  ],
];

for (const [circumstance, variables, place] of FAULTS) {
  test(`configuration: ${circumstance} -> one fault, at ${place}`, (t) => {
    t.deepEqual(placesOf(t, variables), [place]);
  });
}

test('configuration: a file with a wrong configuration -> the fault is of the variable, at its place', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'clients.json');
  writeFileSync(file, `{"${KEY}":5}\r\n`);
  t.deepEqual(placesOf(t, { CLIENT_CONFIG: undefined, CLIENT_CONFIG_FILE: file }), [
    'CLIENT_CONFIG[client 1]',
  ]);
});

test('configuration: faults everywhere -> all at once', (t) => {
  const changes = {
    REDIS_URL: 'redis://',
    RABBITMQ_URL: 'amqp://',
    REDIS_TLS_CA_FILE: '/not/there',
    RABBITMQ_TLS_KEY_FILE: '/not/there',
    MAX_IN_FLIGHT: '0',
    CLIENT_CONFIG: JSON.stringify({ 'a:b': { ...CLIENT, is_active: 1 }, 'c d': null }),
    PROVIDERS_CONFIG: JSON.stringify({ ' A': PROVIDER, B: { ...PROVIDER, aliases: [' a', ''] } }),
  };
  t.deepEqual(placesOf(t, changes).sort(), [
    ...['CLIENT_CONFIG[client 1]', 'CLIENT_CONFIG[client 1].is_active'],
    ...['CLIENT_CONFIG[client 2]', 'CLIENT_CONFIG[client 2]'],
    'MAX_IN_FLIGHT',
    ...[
      'PROVIDERS_CONFIG[" A"] name',
      'PROVIDERS_CONFIG["B"].aliases[0]',
      'PROVIDERS_CONFIG["B"].aliases[1]',
    ],
    ...['RABBITMQ_TLS_CERT_FILE', 'RABBITMQ_TLS_KEY_FILE', 'RABBITMQ_URL'],
    ...['REDIS_TLS_CA_FILE', 'REDIS_URL'],
  ]);
});

test('configuration: an API key anywhere, also where none belongs -> in no fault', (t) => {
  const key = fc.stringMatching(/^[A-Za-z0-9_%@/.-]{16,40}$/);
  fc.assert(
    fc.property(key, (secret) => {
      const client = { name: secret, is_active: secret, daily_quota: secret };
      for (const changes of [
        { CLIENT_CONFIG: secret },
        { CLIENT_CONFIG: JSON.stringify([secret]) },
        { CLIENT_CONFIG: JSON.stringify({ [secret]: client }) },
        { CLIENT_CONFIG: JSON.stringify({ [`${secret} `]: CLIENT }) },
        // Nested one level too deep, and in the wrong variable.
        { CLIENT_CONFIG: JSON.stringify({ clients: { [secret]: CLIENT } }) },
        { PROVIDERS_CONFIG: JSON.stringify({ [secret]: CLIENT }) },
        { PROVIDERS_CONFIG: JSON.stringify({ clients: { [secret]: CLIENT } }) },
        { PROVIDERS_CONFIG: JSON.stringify({ Alpha: { ...PROVIDER, [secret]: CLIENT } }) },
        { PROVIDERS_CONFIG: JSON.stringify({ [secret]: { name: 'One', is_active: true } }) },
        { PROVIDERS_CONFIG: JSON.stringify({ [secret]: 'One' }) },
        {
          CLIENT_CONFIG: JSON.stringify({ [secret]: CLIENT }),
          PROVIDERS_CONFIG: JSON.stringify({ [secret]: { is_active: true } }),
        },
        { CLIENT_CONFIG: JSON.stringify({ [`${KEY}-2`]: CLIENT, [KEY]: { ...CLIENT, id: `${secret}:` } }) },
        { CLIENT_CONFIG: JSON.stringify({ [secret]: { ...CLIENT, not_after: secret } }) },
        {
          CLIENT_CONFIG: JSON.stringify({
            [KEY]: { ...CLIENT, id: secret },
            [secret]: { ...CLIENT, id: 'x' },
          }),
        },
        { REDIS_URL: `redis//:${secret}@redis`, RABBITMQ_URL: `amqps:/${secret}@rabbitmq` },
        { REDIS_URL: `redis://redis/${secret}`, RABBITMQ_URL: `amqp://rabbitmq/?heartbeat=${secret}` },
      ]) {
        const faults = faultsOf(changes);
        t.true(faults.length > 0);
        t.false(faultLines(faults).includes(secret), faultLines(faults));
      }
    }),
    { numRuns: 50 },
  );
});

for (const url of [
  'redis://redis:6379/0',
  'redis://redis',
  'REDISS://redis/',
  'redis://:p%40ss@[::1]:6379/15',
]) {
  test(`configuration: REDIS_URL=${url} -> no fault`, (t) => {
    t.deepEqual(faultsOf({ REDIS_URL: url }), []);
  });
}

for (const mode of ['sentinel', 'cluster']) {
  test(`configuration: REDIS_MODE=${mode} with three URLs -> no fault`, (t) => {
    t.deepEqual(
      faultsOf({ REDIS_MODE: mode, REDIS_URL: 'redis://:p,w@r1:7000, redis://r2:7001,redis://[::1]' }),
      [],
    );
  });
}

for (const url of [
  'amqp://guest:guest@rabbitmq:5672/',
  'amqps://rabbitmq/%2Ftest?heartbeat=1&frameMax=4294967295&locale=de_DE',
  'amqp://rabbitmq/?heartbeat=5&frameMax=8192&maxFrameSize=131072&channelMax=1',
  'amqp://rabbitmq/?frameMax=0&maxFrameSize=0&channelMax=0',
  'amqp://user:pass,word@r1,amqp://r2/ , amqp://[::1]:5673/',
]) {
  test(`configuration: RABBITMQ_URL=${url} -> no fault`, (t) => {
    t.deepEqual(faultsOf({ RABBITMQ_URL: url }), []);
  });
}

test('configuration: empty variables -> as if not set', (t) => {
  const names = ['SERVER_A_PORT', 'REDIS_URL', 'LOG_LEVEL', 'REDIS_TLS_CA_FILE', 'CLIENT_CONFIG_FILE'];
  const { env } = loadConfig({ ...VALID, ...Object.fromEntries(names.map((name) => [name, ''])) });
  t.is(env.SERVER_A_PORT, 8000);
  t.is(env.REDIS_URL, 'redis://redis:6379/0');
  t.is(env.REDIS_TLS_CA_FILE, undefined);
});
