/** The tables of the READMEs and the catalogues of the code say the same: every row of one is a row of the other. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import test from 'ava';
import { ENVIRONMENT, FILE_VARIABLES, JSON_VARIABLES } from '../../src/config/environment.js';
import { ERRORS } from '../../src/errors.js';
import { createMetrics, IDEMPOTENCY_OUTCOMES, PUBLISH_RESULTS } from '../../src/metrics.js';
import { leaseMs } from '../../src/pipeline.js';
import { ENVELOPE_TYPE, toMessage } from '../../src/rabbitmq/envelope.js';
import { HEARTBEAT_TYPE } from '../../src/rabbitmq/heartbeat.js';
import { REDIS_KEYS } from '../../src/redis/keys.js';
import { type Row, tableUnder, tableWith } from '../support/markdown.js';
import { logCalls } from '../support/source-code.js';

const SOURCES = new URL('../../src/', import.meta.url);
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const rootReadme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

test('environment table: names, defaults, values and meanings -> as in the catalogue', (t) => {
  const documented = tableUnder(readme, 'Environment');
  const described = Object.entries(ENVIRONMENT.describe().fields).map(([variable, field]) => {
    const { fallback = '', help = '' } = 'meta' in field ? (field.meta ?? {}) : {};
    return { variable, default: String(fallback), values: valuesOf(field), meaning: help };
  });
  const json = Object.entries(JSON_VARIABLES).map(([variable, meaning]) => ({
    variable,
    default: 'required',
    values: 'JSON',
    meaning,
  }));
  const expected = [...described, ...json];
  // Ranges and choices are the catalogue's; how a URL or a path is put in words is the README's.
  const wording = new Map(documented.map((row) => [row['variable'], row['values']]));
  t.deepEqual(
    documented,
    expected.map((row) => ({ ...row, values: row.values ?? wording.get(row.variable) ?? '' })),
  );
});

test('table of file variables -> as in the catalogue', (t) => {
  t.deepEqual(
    tableWith(readme, 'Environment', ['read instead of']),
    FILE_VARIABLES.map((variable) => ({ variable: `${variable}_FILE`, 'read instead of': variable })),
  );
});

test('.env.example: names and defaults -> as in the catalogue', (t) => {
  const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');
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

test('error table: codes, statuses, messages and advice -> as in the catalogue', (t) => {
  t.deepEqual(
    tableUnder(readme, 'Errors'),
    Object.entries(ERRORS).map(([code, { status, message, retry }]) => ({
      code,
      status: String(status),
      message,
      retry,
    })),
  );
});

test('metrics table: names, types, labels and help -> as in the catalogue', (t) => {
  const metrics = createMetrics().registry.getMetricsAsArray();
  t.deepEqual(
    tableUnder(readme, 'Metrics'),
    metrics
      .filter(({ name }) => name.startsWith('sms_'))
      .map((metric) => ({
        metric: metric.name,
        type: typeOf(metric),
        labels: labelsOf(metric).join(', '),
        help: metric.help,
      })),
  );
});

test('table of label values: publish and idempotency outcomes -> as in the catalogue', (t) => {
  const documented = tableWith(readme, 'Metrics', ['label', 'values']);
  for (const [metric, values] of [
    ['sms_publish_total', PUBLISH_RESULTS],
    ['sms_idempotency_total', IDEMPOTENCY_OUTCOMES],
  ] as const) {
    const row = documented.find(({ of }) => of === metric);
    t.is(row?.['values'], values.join(', '), `values of ${metric}`);
  }
});

test('log table: messages and levels -> as in src', (t) => {
  const logged = new Map<string, Set<string>>();
  for (const file of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const { level, message } of logCalls(readSource(file))) {
      logged.set(message, (logged.get(message) ?? new Set()).add(level));
    }
  }
  const documented = tableUnder(readme, 'Logs').map((row): [string, string[]] => [
    row['message'] ?? '',
    (row['level'] ?? '').split(', ').sort(),
  ]);
  t.deepEqual(
    Object.fromEntries(documented.sort(byName)),
    Object.fromEntries(
      [...logged].map(([message, levels]): [string, string[]] => [message, [...levels].sort()]).sort(byName),
    ),
  );
});

test('table of Redis keys -> as in the catalogue', (t) => {
  t.deepEqual(
    tableUnder(readme, 'Redis keys'),
    Object.values(REDIS_KEYS).map(({ pattern, type, life, holds }) => ({ key: pattern, type, life, holds })),
  );
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
  const contract = readFileSync(new URL('../../../server-b/README.md', import.meta.url), 'utf8');
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

test('table of make targets -> as in the Makefile', (t) => {
  const makefile = readFileSync(new URL('../../../Makefile', import.meta.url), 'utf8');
  const targets = [...makefile.matchAll(/^([a-z][a-z-]*):.*?## (.*)$/gm)];
  t.deepEqual(
    tableUnder(rootReadme, 'Make targets'),
    targets.map(([, target, help]) => ({ target: `make ${target}`, 'what it does': help ?? '' })),
  );
});

function namesIn(rows: readonly Row[], column: string): string[] {
  return rows.map((row) => row[column] ?? '');
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function readSource(file: string): string {
  return readFileSync(new URL(file, SOURCES), 'utf8');
}

function fallbackOf(variable: keyof typeof ENVIRONMENT.fields): unknown {
  const field = ENVIRONMENT.describe().fields[variable];
  return field !== undefined && 'meta' in field ? field.meta?.fallback : undefined;
}

/** What a variable may be, in words, where its schema says: a range, or one of a few. */
function valuesOf(field: object): string | undefined {
  if ('oneOf' in field && Array.isArray(field.oneOf) && field.oneOf.length > 0) return field.oneOf.join(', ');
  if ('type' in field && field.type === 'boolean') return 'true, false';
  const min = limitOf(field, 'min');
  const max = limitOf(field, 'max');
  return min === undefined || max === undefined ? undefined : `${min} to ${max}`;
}

function limitOf(field: object, name: 'min' | 'max'): string | undefined {
  if (!('tests' in field) || !Array.isArray(field.tests)) return undefined;
  const tests: readonly { name?: string; params?: Record<string, unknown> }[] = field.tests;
  const value = tests.find((rule) => rule.name === name)?.params?.[name];
  return value === undefined ? undefined : String(value);
}

/** The class of a metric is its type. */
function typeOf(metric: object): string {
  return metric.constructor.name.toLowerCase();
}

/** Labels as declared; the client library adds `quantile` and `le` to its own. */
function labelsOf(metric: object): string[] {
  if (!('labelNames' in metric) || !Array.isArray(metric.labelNames)) return [];
  return metric.labelNames.map(String).filter((label) => label !== 'quantile' && label !== 'le');
}

function sampleMessage() {
  return toMessage(
    {
      trackingId: '5c566966-b31a-491a-ade4-a5192c76c14d',
      client: { key: 'key', maskedKey: '***', name: 'name', isActive: true, dailyQuota: 1 },
      to: '+989121234567',
      text: 'Hello',
      ttlSeconds: 60,
      providersOriginal: ['a'],
      providersEffective: ['A'],
      fingerprints: { clients: '0', providers: '1' },
      createdAt: '2026-11-23T05:28:29.840Z',
      trace: { traceId: '0af7651916cd43dd8448eb211c80319c', traceparent: '00-…', tracestate: 'a=1' },
    },
    { queue: 'queue', serviceName: 'server-a' },
  );
}
