import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { GatewayProcess, type Variables } from '../../dev/services/gateway-process.js';
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
