import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { GatewayProcess } from '../../dev/services/gateway-process.js';
import { Gateway } from '../support/gateway.js';
import { parseLines } from '../support/log-lines.js';
import { newBody, Site, sha256 } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const ENV_EXAMPLE = fileURLToPath(new URL('../../../.env.example', import.meta.url));

async function newFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** Starts a gateway in a folder, and returns its line gateway.started (or the last line, if it does not start). */
async function startedIn(t: ExecutionContext, folder: string, variables: Readonly<Record<string, string>>) {
  const child = await GatewayProcess.start({ NODE_ENV: 'development', ...variables }, { cwd: folder });
  t.teardown(async () => {
    child.signal('SIGKILL');
    await child.ended;
  });
  const line = await waitFor('a gateway that has started, or not', () => {
    const lines = parseLines(child.stdout);
    return (
      lines.find(({ message }) => message === 'gateway.started') ?? (child.running ? undefined : lines.at(-1))
    );
  });
  return { line: line ?? {}, child };
}

test('.env.example: as it is -> loads, with the fingerprints of the texts that it holds', async (t) => {
  const folder = await newFolder(t);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const { CLIENT_CONFIG = '', PROVIDERS_CONFIG = '' } = parseEnv(await readFile(ENV_EXAMPLE, 'utf8'));
  const { line } = await startedIn(t, folder, { SERVER_A_HOST: '127.0.0.1', SERVER_A_PORT: '0' });
  t.is(line['message'], 'gateway.started');
  t.deepEqual(line['config_fingerprint'], {
    clients: sha256(CLIENT_CONFIG),
    providers: sha256(PROVIDERS_CONFIG),
  });
  t.is(line['service'], 'server-a');
  t.is(line['clients'], 1);
  t.is(line['providers'], 3);
});

test('.env.example: the values of the specification -> all there, byte for byte', async (t) => {
  const values = parseEnv(await readFile(ENV_EXAMPLE, 'utf8'));
  const specified = {
    SERVICE_NAME: 'server-a',
    SERVER_A_HOST: '0.0.0.0',
    SERVER_A_PORT: '8000',
    REDIS_URL: 'redis://redis:6379/0',
    RABBITMQ_URL: 'amqp://guest:guest@rabbitmq:5672/',
    PROVIDER_GATE_ENABLED: 'true',
    IDEMPOTENCY_TTL_SECONDS: '86400',
    QUOTA_PREFIX: 'quota',
    HEARTBEAT_INTERVAL_SECONDS: '60',
    CLIENT_CONFIG:
      '{"api_key_for_service_A":{"name":"Financial Service","is_active":true,"daily_quota":1000}}',
    PROVIDERS_CONFIG: `{
  "Provider-A":{"is_active":true,"is_operational":true,"aliases":["provider-a","PROVIDER_A"],"note":"active"},
  "Provider-B":{"is_active":false,"is_operational":false,"note":"disabled"},
  "Local-SMS":{"is_active":true,"is_operational":true,"note":"offline module"}
}`,
  };
  for (const [name, value] of Object.entries(specified)) t.is(values[name], value, name);
});

test('.env: a variable that is set too -> the real variable wins', async (t) => {
  const folder = await newFolder(t);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const own = { SERVER_A_HOST: '127.0.0.1', SERVER_A_PORT: '0', SERVICE_NAME: 'from-the-environment' };
  const { line } = await startedIn(t, folder, own);
  t.is(line['service'], 'from-the-environment');
});

test('.env: in production -> not read', async (t) => {
  const folder = await newFolder(t);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const { line, child } = await startedIn(t, folder, { NODE_ENV: 'production' });
  t.is(line['message'], 'config.invalid');
  t.is((await child.ended).code, 1);
});

test('_FILE variables: all four from mounted files -> served as if set, with the same fingerprints', async (t) => {
  const site = new Site();
  t.teardown(() => site.close());
  const folder = await newFolder(t);
  const variables: Record<string, string> = { ...site.variables };
  for (const name of ['CLIENT_CONFIG', 'PROVIDERS_CONFIG', 'REDIS_URL', 'RABBITMQ_URL']) {
    const file = join(folder, name);
    await writeFile(file, `${variables[name]}\n`);
    delete variables[name];
    variables[`${name}_FILE`] = file;
  }
  const gateway = await Gateway.start(variables);
  t.teardown(() => gateway.kill());
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
  t.deepEqual((await gateway.line('gateway.started'))['config_fingerprint'], {
    clients: sha256(site.variables.CLIENT_CONFIG),
    providers: sha256(site.variables.PROVIDERS_CONFIG),
  });
});

test('start: the port is taken -> exit 1, with a log line that says so', async (t) => {
  const site = new Site();
  t.teardown(() => site.close());
  const first = await site.startGateway();
  const child = await GatewayProcess.start({
    ...site.variables,
    SERVER_A_HOST: '127.0.0.1',
    SERVER_A_PORT: String(first.port),
  });
  t.is((await child.ended).code, 1);
  const last = parseLines(child.stdout).find(({ level }) => level === 'fatal');
  t.true(JSON.stringify(last).includes('EADDRINUSE'));
});

test('start: a clients object that is empty -> serves, and knows nobody', async (t) => {
  const site = new Site({ variables: { CLIENT_CONFIG: '{}' } });
  t.teardown(() => site.close());
  const gateway = await site.startGateway();
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 401);
});
