import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { GatewayProcess, type Variables } from '../support/gateway-process.js';
import { asList, asObject } from '../support/json.js';
import { faultsOfOutput, parseLines } from '../support/log-lines.js';

const KEY = `secret-${randomBytes(9).toString('hex')}`;
const CLIENT = { name: 'One', is_active: true, daily_quota: 5 };
const PROVIDER = { is_active: true, is_operational: true };
const VALID: Variables = {
  SERVER_A_HOST: '127.0.0.1',
  SERVER_A_PORT: '0',
  REDIS_URL: 'redis://127.0.0.1:1/0',
  RABBITMQ_URL: 'amqp://127.0.0.1:1/',
  CLIENT_CONFIG: JSON.stringify({ [KEY]: CLIENT }),
  PROVIDERS_CONFIG: JSON.stringify({ Alpha: PROVIDER }),
};

/** Starts the gateway with these variables; it must refuse them. Returns `VARIABLE` + path of each fault. */
async function refused(
  t: ExecutionContext,
  variables: Record<string, string | undefined>,
): Promise<string[]> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...VALID, ...variables })) {
    if (value !== undefined) given[name] = value;
  }
  const child = await GatewayProcess.start(given);
  const giveUp = setTimeout(() => child.signal('SIGKILL'), 20_000);
  const { code } = await child.ended;
  clearTimeout(giveUp);
  t.is(code, 1);
  t.deepEqual(faultsOfOutput(child.stdout, child.stderr, [KEY, 'pass-word']), []);
  t.not(child.stderr, '');
  const line = parseLines(child.stdout).find(({ level }) => level === 'fatal');
  const faults = asList(line?.['faults']).map(asObject);
  for (const { variable } of faults) t.true(child.stderr.includes(String(variable)));
  return faults.map(({ variable, path }) => `${variable}${path}`);
}

const clients = (value: unknown) => ({ CLIENT_CONFIG: JSON.stringify({ [KEY]: value }) });
const providers = (value: unknown) => ({ PROVIDERS_CONFIG: JSON.stringify(value) });

/** One fault each: the variables that differ, and the place that must be named. */
const FAULTS: readonly (readonly [string, Record<string, string | undefined>, string])[] = [
  ['no CLIENT_CONFIG', { CLIENT_CONFIG: undefined }, 'CLIENT_CONFIG'],
  ['an empty PROVIDERS_CONFIG', { PROVIDERS_CONFIG: '' }, 'PROVIDERS_CONFIG'],
  ['CLIENT_CONFIG no JSON', { CLIENT_CONFIG: `{"${KEY}":` }, 'CLIENT_CONFIG'],
  ['CLIENT_CONFIG a list', { CLIENT_CONFIG: `["${KEY}"]` }, 'CLIENT_CONFIG'],
  ['a client that is null', clients(null), 'CLIENT_CONFIG[client 1]'],
  ['a quota as a string', clients({ ...CLIENT, daily_quota: '5' }), 'CLIENT_CONFIG[client 1].daily_quota'],
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
  [
    'one queue for both',
    { RABBITMQ_OUTBOUND_QUEUE: 'same', RABBITMQ_HEARTBEAT_QUEUE: 'same' },
    'RABBITMQ_HEARTBEAT_QUEUE',
  ],
];

for (const [circumstance, variables, place] of FAULTS) {
  test.serial(`configuration: ${circumstance} -> exit 1 that names ${place}, no key shown`, async (t) => {
    const places = await refused(t, variables);
    t.true(places.includes(place), places.join(', '));
  });
}

test.serial('configuration: ten faults -> all ten named at once', async (t) => {
  const places = await refused(t, {
    SERVER_A_PORT: '-1',
    REDIS_URL: 'x',
    RABBITMQ_URL: 'y',
    PROVIDER_GATE_ENABLED: '2',
    IDEMPOTENCY_TTL_SECONDS: 'day',
    HEARTBEAT_INTERVAL_SECONDS: '0',
    QUOTA_PREFIX: 'two words',
    LOG_LEVEL: 'loud',
    CLIENT_CONFIG: '{"a:b":{"name":5}}',
    PROVIDERS_CONFIG: '{"A":{"is_active":1}}',
  });
  for (const place of [
    ...['SERVER_A_PORT', 'REDIS_URL', 'RABBITMQ_URL', 'PROVIDER_GATE_ENABLED', 'IDEMPOTENCY_TTL_SECONDS'],
    ...['HEARTBEAT_INTERVAL_SECONDS', 'QUOTA_PREFIX', 'LOG_LEVEL', 'CLIENT_CONFIG[client 1]'],
    ...[
      'CLIENT_CONFIG[client 1].name',
      'CLIENT_CONFIG[client 1].is_active',
      'CLIENT_CONFIG[client 1].daily_quota',
    ],
    ...['PROVIDERS_CONFIG["A"].is_active', 'PROVIDERS_CONFIG["A"].is_operational'],
  ]) {
    t.true(places.includes(place), place);
  }
});

test.serial('configuration: a file that holds a wrong configuration -> exit 1, no key shown', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, 'clients.json');
  await writeFile(file, `{"${KEY}":{"name":"One","is_active":"yes","daily_quota":5}}\n`);
  const places = await refused(t, { CLIENT_CONFIG: undefined, CLIENT_CONFIG_FILE: file });
  t.deepEqual(places, ['CLIENT_CONFIG[client 1].is_active']);
});
