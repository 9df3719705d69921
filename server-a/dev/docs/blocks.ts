/** What is generated, from which catalogue, into which page. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { outcomeOf, PUBLISH_ENDS } from '../../src/attempt/outcomes.js';
import { OPTIONS } from '../../src/command-line/arguments.js';
import { runCommandLine } from '../../src/command-line/run.js';
import { ENVIRONMENT, FILE_VARIABLES, JSON_VARIABLES } from '../../src/config/environment.js';
import { loadConfig } from '../../src/config/load.js';
import { ERRORS } from '../../src/errors.js';
import { LOG_EVENTS } from '../../src/logging/events.js';
import { createMetrics, LABEL_VALUES } from '../../src/metrics.js';
import { REDIS_KEYS } from '../../src/redis/keys.js';
import { code, table } from './fill.js';

const ROOT = new URL('../../../', import.meta.url);

/** Text of each block by its name, by the page that has it (a path from the repository's root). */
export function generatedBlocks(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  return new Map([
    ['README.md', new Map([['make-targets', makeTargets()]])],
    ['docs/architecture.md', new Map([['outcomes', outcomes()]])],
    [
      'server-a/README.md',
      new Map([
        ['environment', environment()],
        ['file-variables', fileVariables()],
        ['options', options()],
        ['check-config', checkConfig({})],
        ['check-config-faults', checkConfig(FAULTY)],
        ['errors', errors()],
        ['metrics', metrics()],
        ['label-values', labelValues()],
        ['log-events', logEvents()],
        ['redis-keys', redisKeys()],
      ]),
    ],
  ]);
}

function environment(): string {
  const rows = Object.entries(ENVIRONMENT.describe().fields).map(([variable, field]) => {
    const { fallback, help = '', values } = 'meta' in field ? (field.meta ?? {}) : {};
    return [
      code(variable),
      fallback === undefined || fallback === '' ? '' : code(String(fallback)),
      values ?? valuesOf(field),
      help,
    ];
  });
  const json = Object.entries(JSON_VARIABLES).map(([variable, meaning]) => [
    code(variable),
    'required',
    'JSON',
    meaning.replace(/\{.*\}/, code),
  ]);
  return table(['variable', 'default', 'values', 'meaning'], [...rows, ...json]);
}

/** What a variable may be, by its schema: one of a few, or a range. */
function valuesOf(field: object): string {
  if ('oneOf' in field && Array.isArray(field.oneOf) && field.oneOf.length > 0) {
    return field.oneOf.map((value) => code(String(value))).join(', ');
  }
  if ('type' in field && field.type === 'boolean') return '`true`, `false`';
  return `${limitOf(field, 'min')} to ${limitOf(field, 'max')}`;
}

function limitOf(field: object, name: 'min' | 'max'): unknown {
  if (!('tests' in field) || !Array.isArray(field.tests)) return undefined;
  const tests: readonly { name?: string; params?: Record<string, unknown> }[] = field.tests;
  return tests.find((rule) => rule.name === name)?.params?.[name];
}

function fileVariables(): string {
  return table(
    ['variable', 'read instead of'],
    FILE_VARIABLES.map((variable) => [code(`${variable}_FILE`), code(variable)]),
  );
}

function options(): string {
  const rows = Object.entries(OPTIONS).map(([name, option]) => {
    const long = code('value' in option ? `--${name} ${option.value}` : `--${name}`);
    return ['short' in option ? `${code(`-${option.short}`)}, ${long}` : long, option.help];
  });
  return table(
    ['option', 'what it does'],
    [
      ['', 'Serve; how it ends is said under [Logs](#logs)'],
      ...rows,
      ['any other', 'Say so on stderr, and exit: 2'],
    ],
  );
}

/** A configuration with three faults of three kinds. */
const FAULTY = {
  SERVER_A_PORT: '80a',
  REDIS_TLS_CA_FILE: '/not/there',
  CLIENT_CONFIG: '{"key":{"name":"One","is_active":true,"daily_quota":1.5}}',
};

/** What --check-config prints for .env.example with some other variables. */
function checkConfig(variables: Readonly<Record<string, string>>): string {
  const example = parseEnv(readFileSync(new URL('.env.example', ROOT), 'utf8'));
  const printed = runCommandLine(['--check-config'], () => loadConfig({ ...example, ...variables }));
  return `\`\`\`text\n${printed?.stdout}${printed?.stderr}\`\`\``;
}

function errors(): string {
  return table(
    ['code', 'status', 'message', 'retry'],
    Object.entries(ERRORS).map(([name, { status, message, retry }]) => [
      code(name),
      String(status),
      message,
      retry,
    ]),
  );
}

function metrics(): string {
  const own = createMetrics()
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith('sms_'));
  return table(
    ['metric', 'type', 'labels', 'help'],
    own.map((metric) => [
      code(metric.name),
      // The class of a metric is its type; those with a series for each client have classes of their own.
      metric.constructor.name.replace(/^(Series|Duration)/, '').toLowerCase(),
      labelsOf(metric).map(code).join(', '),
      metric.help,
    ]),
  );
}

/** Labels as declared; the client library adds `quantile` and `le` to its own. */
function labelsOf(metric: object): string[] {
  if (!('labelNames' in metric) || !Array.isArray(metric.labelNames)) return [];
  return metric.labelNames.map(String).filter((label) => label !== 'quantile' && label !== 'le');
}

function labelValues(): string {
  return table(
    ['label', 'of', 'values'],
    LABEL_VALUES.map(({ label, of, values }) => [
      code(label),
      of === undefined ? 'all' : code(of),
      typeof values === 'string' ? values : values.map(code).join(', '),
    ]),
  );
}

function logEvents(): string {
  return table(
    ['message', 'level', 'meaning'],
    Object.entries(LOG_EVENTS).map(([name, { levels, meaning }]) => [code(name), levels.join(', '), meaning]),
  );
}

/** Every cell of the table of outcomes. */
function outcomes(): string {
  const circumstances = [
    { keyed: false, openBefore: false },
    { keyed: true, openBefore: false },
    { keyed: true, openBefore: true },
  ];
  return table(
    ['end of the publish', 'without a key', 'with a key', 'with a key that was taken over'],
    PUBLISH_ENDS.map((end) => [
      code(end),
      ...circumstances.map((circumstance) => {
        const { accepted, ending, unit } = outcomeOf({ end, ...circumstance });
        const told = code(accepted === 'yes' ? '202' : accepted);
        const record = ending === undefined ? '' : `, record ${code(ending)}`;
        return `${told}${record}, unit ${unit.replace('_', ' ')}`;
      }),
    ]),
  );
}

function redisKeys(): string {
  return table(
    ['key', 'type', 'life', 'holds'],
    Object.values(REDIS_KEYS).map(({ pattern, type, life, holds }) => [code(pattern), type, life, holds]),
  );
}

function makeTargets(): string {
  const makefile = readFileSync(new URL('Makefile', ROOT), 'utf8');
  return table(
    ['target', 'what it does'],
    [...makefile.matchAll(/^([a-z][a-z-]*):.*?## (.*)$/gm)].map(([, target = '', help = '']) => [
      code(`make ${target}`),
      help,
    ]),
  );
}
