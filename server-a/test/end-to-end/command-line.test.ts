/** The built entry point with options, where there is neither Redis nor RabbitMQ. */
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { GatewayProcess, type Variables } from '../../dev/services/gateway-process.js';
import { asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';

const ENV_EXAMPLE = fileURLToPath(new URL('../../../.env.example', import.meta.url));

async function newFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** Runs it to its end. */
async function run(folder: string, options: readonly string[], variables: Variables = {}) {
  const child = await GatewayProcess.start(
    { NODE_ENV: 'development', ...variables },
    { cwd: folder, args: options },
  );
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('--check-config: .env.example as .env -> exit 0, what it says, without its passwords and keys', async (t) => {
  const folder = await newFolder(t);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const { code, stdout, stderr } = await run(folder, ['--check-config']);
  t.deepEqual(
    stderr.split('\n').map((line) => line.trim().split(' ')[0]),
    // The example key and guest are right on this machine alone; the example has no secret.
    ['', 'Warnings:', 'CLIENT_CONFIG', 'RABBITMQ_URL', 'TRACKING_ID_SECRET', ''],
  );
  t.is(code, 0);
  t.true(stdout.includes('Financial Service  api_k***  yes     1000'), stdout);
  t.true(stdout.includes('amqp://rabbitmq:5672/'));
  t.notRegex(stdout + stderr, /api_key_for_service_A|guest:/);
});

test('--check-config: variables that are set -> win over .env; every fault at once', async (t) => {
  const folder = await newFolder(t);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const faulty = { SERVER_A_PORT: '80a', REDIS_TLS_CA_FILE: '/not/there', CLIENT_CONFIG: '{"pass-word":1}' };
  const { code, stdout, stderr } = await run(folder, ['--check-config'], faulty);
  t.is(code, 1);
  t.is(stdout, '');
  t.deepEqual(
    stderr.split('\n').map((line) => line.trim().split(' ')[0]),
    ['The', 'SERVER_A_PORT', 'CLIENT_CONFIG[client', 'REDIS_TLS_CA_FILE', ''],
  );
  t.false(stderr.includes('pass-word'));
});

test('--check-config: a .env that cannot be read -> exit 1 that says so; so does the start', async (t) => {
  const folder = await newFolder(t);
  await mkdir(join(folder, '.env'));
  for (const options of [['--check-config'], []]) {
    const { code, stderr } = await run(folder, options);
    t.is(code, 1);
    t.is(stderr, 'The configuration is not valid:\n  .env is there and cannot be read (EISDIR)\n');
  }
});

test('start, and --check-config: nothing is configured -> says where it looked, and what to do', async (t) => {
  const folder = await newFolder(t);
  const file = join(await realpath(folder), '.env');
  for (const options of [['--check-config'], []]) {
    const { code, stderr } = await run(folder, options);
    t.is(code, 1);
    t.true(stderr.includes('CLIENT_CONFIG is required'), stderr);
    t.true(stderr.includes(`There is no ${file}.`), stderr);
    t.true(stderr.includes('copy .env.example to .env'), stderr);
    t.true(stderr.includes('CLIENT_CONFIG_FILE'), stderr);
  }
  await writeFile(join(folder, '.env'), 'SERVER_A_PORT=8000\n');
  t.true((await run(folder, [])).stderr.includes(`Neither the environment nor ${file} has it.`));
  t.true((await run(folder, [], { NODE_ENV: 'production' })).stderr.includes('NODE_ENV is production'));
  const other = await run(folder, [], { CLIENT_CONFIG: '{', PROVIDERS_CONFIG: '{}' });
  t.is(
    other.stderr,
    'The configuration is not valid:\n  CLIENT_CONFIG is not valid JSON: line 1, column 2\n',
  );
});

test('--check-config: who reads goes away after a line -> no error', async (t) => {
  const folder = await newFolder(t);
  const clients = Array.from({ length: 10_000 }, (_, i) => [
    `key-${i}`,
    { name: 'N', is_active: true, daily_quota: i },
  ]);
  await copyFile(ENV_EXAMPLE, join(folder, '.env'));
  const variables = { CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: join(folder, 'clients.json') };
  await writeFile(variables.CLIENT_CONFIG_FILE, JSON.stringify(Object.fromEntries(clients)));
  const child = await GatewayProcess.start(
    { NODE_ENV: 'development', ...variables },
    {
      cwd: folder,
      args: ['--check-config'],
    },
  );
  child.closeStdout();
  t.is((await child.ended).code, 0);
  t.notRegex(child.stderr, /Error|EPIPE/);
});

test('--help and --version: no configuration at all -> exit 0; a wrong option -> exit 2', async (t) => {
  const folder = await newFolder(t);
  t.like(await run(folder, ['--help']), { code: 0, stderr: '' });
  t.like(await run(folder, ['--version']), { code: 0, stderr: '' });
  t.like(await run(folder, ['--port', '80']), { code: 2, stdout: '' });
});

test('start: a configuration with doubts -> config.loaded with its summary, config.warnings, and it serves', async (t) => {
  const clients = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`client-${i}`, { daily_quota: i }]),
  );
  const site = new Site({ clients });
  t.teardown(() => site.close());
  const gateway = await site.startGateway();
  const config = asObject((await gateway.line('config.loaded'))['config']);
  t.like(config['clients'], { total: 30, active: 30, not_listed: 10 });
  t.like(config['providers'], { total: 4, available: 2, not_listed: 0 });
  t.like(config['queues'], { outbound: site.outboundQueue, heartbeat: site.heartbeatQueue, type: 'quorum' });
  t.like(config['limits'], { quota_prefix: site.quotaPrefix, max_in_flight: 2000 });
  const { warnings } = await gateway.line('config.warnings');
  t.deepEqual(warnings, [
    { variable: 'CLIENT_CONFIG', path: '', message: 'has active clients with a quota of 0: "client-0"' },
  ]);
  t.is((await gateway.send({ apiKey: site.apiKey('client-1'), body: newBody() })).status, 202);
});
