/** What an operator is shown of a configuration: all that decides, and no secret. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { configText } from '../../../src/command-line/config-text.js';
import { ENVIRONMENT } from '../../../src/config/environment.js';
import { configSummary } from '../../../src/config/summary.js';
import { configWarnings } from '../../../src/config/warnings.js';
import { Authority } from '../../support/certificates.js';
import { configOf, many } from '../../support/configs.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway-test-summary-'));
const authority = Authority.create(join(folder, 'authority'), 'Test authority');
test.after.always(() => rm(folder, { recursive: true }));

test('summary: clients and providers -> states, masked keys, quotas, aliases, fingerprints', (t) => {
  const config = configOf({
    secret_key_one: { name: 'One' },
    secret_key_two: { name: 'Two', is_active: false },
  });
  const { clients, providers, config_fingerprint } = configSummary(config);
  t.deepEqual(clients, {
    total: 2,
    active: 1,
    not_listed: 0,
    listed: [
      { name: 'One', masked_key: 'sec***', active: true, daily_quota: 9 },
      { name: 'Two', masked_key: 'sec***', active: false, daily_quota: 9 },
    ],
  });
  t.deepEqual(providers, {
    total: 2,
    available: 1,
    not_listed: 0,
    listed: [
      {
        name: 'Alpha',
        active: true,
        operational: true,
        aliases: { total: 2, listed: ['First', 'alpha-sms'], not_listed: 0 },
      },
      { name: 'Beta', active: false, operational: true, aliases: { total: 0, listed: [], not_listed: 0 } },
    ],
  });
  t.deepEqual(config_fingerprint, config.registry.fingerprints);
});

test('summary: 1,000 clients and a limit of 20 -> 20 listed, and how many more there are', (t) => {
  const summary = configSummary(configOf(many(1000)), 20);
  t.is(summary.clients.listed.length, 20);
  t.is(summary.clients.not_listed, 980);
  t.true(JSON.stringify(summary).length < 8000);
});

test('summary: 1,000 clients and no limit -> each has its line in the text', (t) => {
  const text = configText(configSummary(configOf(many(1000))));
  t.is(text.split('\n').filter((line) => line.startsWith('  Client ')).length, 1000);
});

test('summary: every variable that is no secret and no path -> its value is in the text', (t) => {
  const given = {
    ...{
      SERVICE_NAME: 'a-name',
      SERVER_A_HOST: '192.0.2.1',
      SERVER_A_PORT: '8123',
      OPERATIONS_PORT: '8124',
      PROVIDER_GATE_ENABLED: 'false',
    },
    ...{ IDEMPOTENCY_TTL_SECONDS: '4321', IDEMPOTENCY_MISMATCH: 'reject', QUOTA_PREFIX: 'units' },
    ...{ HEARTBEAT_INTERVAL_SECONDS: '77', RABBITMQ_OUTBOUND_QUEUE: 'out', RABBITMQ_HEARTBEAT_QUEUE: 'beat' },
    ...{ RABBITMQ_QUEUE_TYPE: 'classic', PUBLISH_TIMEOUT_MS: '1111', REDIS_TIMEOUT_MS: '222' },
    ...{ REDIS_MODE: 'sentinel', REDIS_SENTINEL_MASTER: 'the-master' },
    ...{
      MAX_IN_FLIGHT: '333',
      MAX_CONNECTIONS: '666',
      SHUTDOWN_DELAY_MS: '555',
      SHUTDOWN_TIMEOUT_MS: '4444',
      LOG_LEVEL: 'debug',
    },
  };
  const text = configText(configSummary(configOf(many(1), given)));
  for (const value of Object.values(given)) t.true(text.includes(value), value);
  const shown = [...Object.keys(given), 'REDIS_URL', 'RABBITMQ_URL'];
  const others = Object.keys(ENVIRONMENT.fields).filter((name) => !shown.includes(name));
  t.true(
    others.every((name) => /_TLS_|_SECRET$|_SENTINEL_(USERNAME|PASSWORD)$/.test(name)),
    `neither shown nor a file: ${others.join(', ')}`,
  );
});

test('summary: any keys and passwords -> not in the summary, its text or the warnings', (t) => {
  const secret = fc.stringMatching(/^[A-Za-z0-9_]{16,40}$/);
  fc.assert(
    fc.property(secret, secret, secret, (key, redis, rabbitmq) => {
      const config = configOf(
        { [key]: { name: 'One', daily_quota: 0 } },
        {
          REDIS_MODE: 'sentinel',
          REDIS_SENTINEL_USERNAME: redis,
          REDIS_SENTINEL_PASSWORD: redis,
          REDIS_URL: `redis://user:${redis}@redis:6379/0,redis://${redis}:${redis}@redis:6380/0`,
          RABBITMQ_URL: `amqp://${rabbitmq}:${rabbitmq}@rabbitmq/v?password=${rabbitmq}`,
        },
      );
      const summary = configSummary(config);
      const output = JSON.stringify(summary) + configText(summary) + JSON.stringify(configWarnings(config));
      for (const text of [key, redis, rabbitmq]) t.false(output.includes(text));
    }),
  );
});

test('summary: a name that would steer the terminal -> written out', (t) => {
  const text = configText(configSummary(configOf({ some_key: { name: 'a\u001b[31mb\nc\u202e' } })));
  t.true(text.includes('a\\u001b[31mb\\u000ac\\u202e'));
});

test('summary: TLS -> authorities and certificate, with the dates until they are valid', async (t) => {
  const certificate = authority.issue({ name: 'client' });
  const config = configOf(many(1), {
    REDIS_URL: 'rediss://user:pass-word@redis/3',
    RABBITMQ_URL: 'amqps://gateway:pass-word@rabbitmq/%2Fv',
    REDIS_TLS_CA_FILE: authority.cert,
    REDIS_TLS_CERT_FILE: certificate.cert,
    REDIS_TLS_KEY_FILE: certificate.key,
  });
  const { redis, rabbitmq } = configSummary(config);
  t.is(redis.url, 'rediss://redis/3');
  t.deepEqual(
    redis.tls?.authorities.map(({ subject }) => subject),
    ['CN=Test authority'],
  );
  t.is(redis.tls?.client_certificate?.subject, 'CN=client');
  const until = Date.parse(redis.tls?.client_certificate?.valid_until ?? '') - Date.now();
  t.true(until > 0 && until <= 86_400_000);
  t.deepEqual(rabbitmq, { url: 'amqps://rabbitmq/%2Fv', tls: { authorities: [] } });
  t.deepEqual(configWarnings(config), []);
});
