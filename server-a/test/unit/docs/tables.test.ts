/** What the documentation says of names, defaults and fields, where it is written by hand, is what the code has. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import test from 'ava';
import { leaseMs } from '../../../src/attempt/time-limits.js';
import { HEARTBEAT_TYPE } from '../../../src/background/heartbeat.js';
import { ENVIRONMENT, FILE_VARIABLES, JSON_VARIABLES } from '../../../src/config/environment.js';
import { LOG_EVENTS } from '../../../src/logging/events.js';
import { ENVELOPE_TYPE, toMessage } from '../../../src/rabbitmq/envelope.js';
import { type Row, tableUnder, tableWith } from '../../support/markdown.js';
import { logCalls } from '../../support/source-code.js';

const SOURCES = new URL('../../../src/', import.meta.url);
const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

test('.env.example: names and defaults -> as in the catalogue', (t) => {
  const example = readFileSync(new URL('../../../../.env.example', import.meta.url), 'utf8');
  const optional = [...example.matchAll(/^#([A-Z][A-Z_]*)=(.*)$/gm)];
  const given: Record<string, string> = {};
  for (const [, name = '', value = ''] of optional) given[name] = value;
  for (const [name, value] of Object.entries(parseEnv(example))) given[name] = value ?? '';
  const described = Object.keys(ENVIRONMENT.fields);
  const files = FILE_VARIABLES.map((variable) => `${variable}_FILE`);
  t.deepEqual(Object.keys(given).sort(), [...described, ...Object.keys(JSON_VARIABLES), ...files].sort());
  for (const [name, field] of Object.entries(ENVIRONMENT.describe().fields)) {
    const { fallback } = 'meta' in field ? (field.meta ?? {}) : {};
    if (fallback !== undefined) t.is(given[name], String(fallback), `${name} in .env.example`);
  }
});

test('catalogue of log events: names and levels -> those that src logs, no more and no fewer', (t) => {
  const logged = new Map<string, Set<string>>();
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const { level, message } of logCalls(readSource(file))) {
      logged.set(message, (logged.get(message) ?? new Set()).add(level));
    }
  }
  const sorted = (events: Iterable<readonly [string, Iterable<string>]>) =>
    Object.fromEntries([...events].map(([name, levels]) => [name, [...levels].sort()]));
  t.deepEqual(sorted(logged), sorted(Object.entries(LOG_EVENTS).map(([name, { levels }]) => [name, levels])));
});

test('envelope tables: fields and AMQP properties -> as published', (t) => {
  const { content, options } = sampleMessage();
  const body: unknown = JSON.parse(content.toString());
  t.deepEqual(namesIn(tableUnder(readme, 'Envelope'), 'field'), Object.keys(Object(body)));
  const { persistent, mandatory, ...properties } = options;
  t.true(persistent);
  t.true(mandatory);
  const documented = tableWith(readme, 'Envelope', ['property']);
  t.deepEqual(namesIn(documented, 'property').sort(), ['deliveryMode', ...Object.keys(properties)].sort());
  const type = documented.find((row) => row['property'] === 'type');
  t.is(type?.['value'], options.type);
});

test('message types -> named where consumers look', (t) => {
  const contract = readFileSync(new URL('../../../../server-b/README.md', import.meta.url), 'utf8');
  for (const type of [ENVELOPE_TYPE, HEARTBEAT_TYPE]) {
    t.true(contract.includes(`\`${type}\``), `${type} in server-b/README.md`);
    t.true(readme.includes(`\`${type}\``), `${type} in server-a/README.md`);
  }
});

test('time limits: the lease at the defaults -> as leaseMs counts it', (t) => {
  const lease = leaseMs({
    REDIS_TIMEOUT_MS: Number(fallbackOf('REDIS_TIMEOUT_MS')),
    PUBLISH_TIMEOUT_MS: Number(fallbackOf('PUBLISH_TIMEOUT_MS')),
  });
  const row = tableUnder(readme, 'Time limits').find(({ what }) => what?.includes('lease'));
  t.regex(row?.['limit'] ?? '', new RegExp(`; ${lease} ms by default$`));
});

function namesIn(rows: readonly Row[], column: string): string[] {
  return rows.map((row) => row[column] ?? '');
}

function readSource(file: string): string {
  return readFileSync(new URL(file, SOURCES), 'utf8');
}

function fallbackOf(variable: keyof typeof ENVIRONMENT.fields): unknown {
  const field = ENVIRONMENT.describe().fields[variable];
  return field !== undefined && 'meta' in field ? field.meta?.fallback : undefined;
}

function sampleMessage() {
  return toMessage(
    {
      trackingId: '5c566966-b31a-491a-ade4-a5192c76c14d',
      client: { id: 'key', name: 'name', isActive: true, dailyQuota: 1, maxPerSecond: undefined },
      request: { to: '+989121234567', text: 'Hello', ttlSeconds: 60, providers: ['a'] },
      providersEffective: ['A'],
      fingerprints: { clients: '0', providers: '1' },
      createdAt: '2026-11-23T05:28:29.840Z',
      trace: { traceId: '0af7651916cd43dd8448eb211c80319c', traceparent: '00-…', tracestate: 'a=1' },
    },
    { queue: 'queue', serviceName: 'server-a' },
  );
}
