/** What Docker Compose is told: bounds and rights of every container, ports, and a production that the gateway accepts. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import test from 'ava';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load.js';
import { configWarnings } from '../../../src/config/warnings.js';
import { asObject, type JsonObject, parseObject } from '../../support/json.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Compose's marks for what replaces, and does not add to, the file below; the value is all that is wanted here. */
const MARKS = ['!override', '!reset'].map((tag) => ({
  tag,
  collection: 'seq' as const,
}));
const yamlOf = (path: string) => asObject(parse(read(path), { merge: true, customTags: MARKS }));
const development = yamlOf('docker-compose.yml');
const production = yamlOf('docker-compose.production.yml');
const services = (file: JsonObject) =>
  Object.entries(asObject(file['services'])).map(([name, value]) => ({ name, service: asObject(value) }));
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const version = String(parseObject(read('server-a/package.json'))['version']);

/** What a file laid over the first adds, and does not only change. */
const added = ['docker-compose.production.yml', 'deploy/docker-compose.scale.yml'].flatMap((file) =>
  services(yamlOf(file))
    .filter(({ service }) => 'image' in service)
    .map(({ name, service }) => ({ name: `${name} of ${file}`, service })),
);

for (const { name, service } of [...services(development), ...added]) {
  test(`compose: ${name} -> a pinned version, bounded memory, processes and logs, no rights, ports on this machine alone`, (t) => {
    t.regex(String(service['image']), /:v?\d+\.\d+\.\d+(-[a-z-]+)?$/);
    t.regex(String(service['mem_limit']), /^\d+[mg]$/);
    t.true(Number(service['pids_limit']) > 0);
    t.deepEqual(service['security_opt'], ['no-new-privileges:true']);
    t.deepEqual(service['cap_drop'], ['ALL']);
    const options = asObject(asObject(service['logging'])['options']);
    t.regex(String(options['max-size']), /^\d+m$/);
    t.true(Number(options['max-file']) > 0);
    // But for the senders' port in production.
    for (const port of listOf(service['ports']))
      t.regex(String(port), name.includes('production') ? /^\$\{SERVER_A_PORT/ : /^127\.0\.0\.1:/);
    t.true(listOf(service['networks']).length > 0);
  });
}

test('compose: networks -> nobody but Server A, and what reads its figures, reaches Redis or RabbitMQ; both are shut off in production', (t) => {
  const readers = { redis: 'redis-exporter', rabbitmq: 'prometheus' } as const;
  for (const network of ['redis', 'rabbitmq'] as const) {
    const members = services(development).filter(({ service }) =>
      listOf(service['networks']).includes(network),
    );
    t.deepEqual(members.map(({ name }) => name).sort(), [network, 'server-a', readers[network]].sort());
    t.true(asObject(asObject(production['networks'])[network])['internal']);
  }
});

test('compose, production: ports -> the one of the senders, no other; not the one of the operators', (t) => {
  const inProduction = asObject(production['services']);
  for (const name of ['redis', 'rabbitmq']) t.deepEqual(asObject(inProduction[name])['ports'], []);
  const [gateway, balancer] = [asObject(inProduction['server-a']), asObject(inProduction['balancer'])];
  const { SERVER_A_PORT, OPERATIONS_PORT } = asObject(gateway['environment']);
  t.deepEqual(gateway['ports'], []);
  t.is(listOf(balancer['ports']).join(), `\${SERVER_A_PORT:-8000}:8000`);
  // The balancer sends to the senders' port, and asks the operators' one.
  t.deepEqual(balancer['environment'], { SENDERS_PORT: SERVER_A_PORT, CHECK_PORT: OPERATIONS_PORT });
  t.not(SERVER_A_PORT, OPERATIONS_PORT);
  // Prometheus asks where the operators' routes are, in both.
  t.regex(read('observe/prometheus/prometheus.yml'), new RegExp(`port: ${String(OPERATIONS_PORT)}\\n`));
  // The marks without which Compose would add to the ports of the other file.
  t.is(read('docker-compose.production.yml').match(/ports: !(override|reset)/g)?.length, 3);
});

test('compose, production: new secrets -> the gateway accepts them; no password is known, none is in two places that differ', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-test-secrets-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const secrets = join(folder, 'secrets');
  const make = () => execFileSync(join(ROOT, 'deploy/new-secrets.sh'), [secrets], { stdio: 'pipe' });
  make();
  t.is(statSync(secrets).mode & 0o777, 0o700);
  t.throws(make, { message: /there already/ });

  const environment = asObject(asObject(asObject(production['services'])['server-a'])['environment']);
  const given = Object.entries({ ...parseEnv(read('.env.example')), ...environment }).map(([name, value]) => [
    name,
    String(value).replace('/run/gateway', join(secrets, 'gateway')),
  ]);
  const config = loadConfig(Object.fromEntries(given));
  const passwords = [config.env.REDIS_URL, config.env.RABBITMQ_URL].map((url) => new URL(url).password);
  for (const password of passwords) t.regex(password, /^[0-9a-f]{48}$/);
  t.regex(config.env.TRACKING_ID_SECRET, /^[0-9a-f]{48}$/);
  const [redis, rabbitmq] = passwords;
  t.is(readFileSync(join(secrets, 'redis/redis.conf'), 'utf8'), `requirepass ${redis}\n`);
  t.is(readFileSync(join(secrets, 'redis/password'), 'utf8'), `${redis}\n`);
  t.true(
    readFileSync(join(secrets, 'rabbitmq/gateway.conf'), 'utf8').includes(`default_pass = ${rabbitmq}\n`),
  );
  // Clients and providers are still to be filled in; nothing else is to be said.
  t.deepEqual(
    configWarnings(config).map(({ variable }) => variable),
    ['CLIENT_CONFIG', 'PROVIDERS_CONFIG'],
  );
});

test('compose and Dockerfile: secrets are folders; the image has the version of the package and a numeric user', (t) => {
  for (const { service } of services(production)) {
    for (const mount of listOf(service['volumes']))
      t.regex(String(mount), /^\.\/(secrets\/\w+:\/run\/\w+|deploy\/haproxy:\/usr\/local\/etc\/haproxy):ro$/);
  }
  t.is(asObject(asObject(development['services'])['server-a'])['image'], `sms-gateway/server-a:${version}`);
  const dockerfile = read('server-a/Dockerfile');
  t.true(dockerfile.includes(`ARG VERSION=${version}\n`));
  t.regex(dockerfile, /^USER \d+:\d+$/m);
  for (const [, image = ''] of dockerfile.matchAll(/^FROM (\S+:\S+)/gm))
    t.regex(image, /:\d+\.\d+\.\d+-slim$/);
});
