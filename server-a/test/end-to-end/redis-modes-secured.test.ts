/** Redis Cluster and Sentinel that take only TLS connections with a certificate, and users with a password. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Redis } from 'ioredis';
import { findFreePort } from '../../dev/services/free-port.js';
import { sentinelProcess } from '../../dev/services/redis-sentinels.js';
import { startRedisServer } from '../../dev/services/redis-server.js';
import { Authority } from '../support/certificates.js';
import { newBody, Site } from '../support/site.js';

const PASSWORD = 'pass/w@rd';
const SENTINEL_PASSWORD = 'another/pass';
const LOGIN = `gateway:${encodeURIComponent(PASSWORD)}`;
/** The user of whom nothing is asked may do nothing but say that the server is there. */
const NOBODY = ['default', 'on', 'nopass', '-@all', '+ping'];

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-secured-'));
const authority = Authority.create(join(folder, 'authority'), 'Test authority');
const server = authority.issue({ name: 'server', host: 'localhost' });
const client = authority.issue({ name: 'client' });
const TLS = {
  'tls-cert-file': server.cert,
  'tls-key-file': server.key,
  'tls-ca-cert-file': authority.cert,
  'tls-auth-clients': 'yes',
};
const site = new Site({
  variables: {
    REDIS_TLS_CA_FILE: authority.cert,
    REDIS_TLS_CERT_FILE: client.cert,
    REDIS_TLS_KEY_FILE: client.key,
  },
});

test.after.always(async () => {
  await site.close();
  await rm(folder, { recursive: true, force: true });
});

const asArguments = (options: Readonly<Record<string, string>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);

/** Sends a message twice through a gateway that has its URLs in a file. */
async function acceptedAndReplayed(mode: string, urls: readonly string[], more: Record<string, string> = {}) {
  const file = join(folder, `urls-${mode}`);
  await writeFile(file, `${urls.join(',')}\n`);
  const gateway = await site.startGateway({
    REDIS_MODE: mode,
    REDIS_URL: '',
    REDIS_URL_FILE: file,
    ...more,
  });
  const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  const answers = [await gateway.send(request), await gateway.send(request)];
  return {
    statuses: answers.map(({ status }) => status),
    replayed: answers[1]?.headers['idempotent-replayed'],
    output: gateway.process.stdout + gateway.process.stderr,
    node: (await gateway.line('redis.ready'))['node'],
  };
}

test('secured: a cluster with TLS by name, users and passwords -> accepted and replayed, and no password is shown', async (t) => {
  const [tlsPort, busPort] = [await findFreePort(), await findFreePort()];
  const redis = await startRedisServer({
    dataDir: join(folder, 'cluster'),
    extraArgs: [
      ...asArguments({ ...TLS, 'tls-port': String(tlsPort), 'tls-cluster': 'yes' }),
      ...asArguments({ 'cluster-enabled': 'yes', 'cluster-port': String(busPort) }),
      ...asArguments({
        'cluster-announce-hostname': 'localhost',
        'cluster-preferred-endpoint-type': 'hostname',
      }),
      ...['--user', 'gateway', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'],
      ...['--user', 'admin', 'on', 'nopass', '~*', '&*', '+@all'],
      ...['--user', ...NOBODY],
    ],
  });
  t.teardown(() => redis.kill());
  const admin = new Redis(redis.port, { username: 'admin', password: 'any' });
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  admin.disconnect();
  const { statuses, replayed, output, node } = await acceptedAndReplayed('cluster', [
    `rediss://${LOGIN}@localhost:${tlsPort}`,
    'rediss://localhost:1',
  ]);
  t.deepEqual(statuses, [202, 202]);
  t.is(replayed, 'true');
  t.is(node, `localhost:${tlsPort}`);
  t.false(output.includes(PASSWORD) || output.includes(encodeURIComponent(PASSWORD)));
});

test('secured: sentinels and a master with TLS by name, each with users and passwords -> accepted and replayed, and no password is shown', async (t) => {
  const tlsPort = await findFreePort();
  const redis = await startRedisServer({
    dataDir: join(folder, 'master'),
    extraArgs: [
      ...asArguments({ ...TLS, 'tls-port': String(tlsPort) }),
      ...['--user', 'gateway', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'],
      ...['--user', ...NOBODY],
    ],
  });
  t.teardown(() => redis.kill());
  const [port, sentinelPort] = [await findFreePort(), await findFreePort()];
  const sentinel = await sentinelProcess(join(folder, 'sentinel'), port, [
    `tls-port ${sentinelPort}`,
    'tls-replication yes',
    ...Object.entries(TLS).map((entry) => entry.join(' ')),
    'sentinel resolve-hostnames yes',
    'sentinel announce-hostnames yes',
    `sentinel monitor mymaster localhost ${tlsPort} 1`,
    'sentinel auth-user mymaster gateway',
    `sentinel auth-pass mymaster ${PASSWORD}`,
    `user watcher on >${SENTINEL_PASSWORD} ~* &* +@all`,
    `user ${NOBODY.join(' ')}`,
  ]);
  await sentinel.start();
  t.teardown(() => sentinel.kill());
  const { statuses, replayed, output, node } = await acceptedAndReplayed(
    'sentinel',
    [`rediss://${LOGIN}@localhost:${sentinelPort}/3`, 'rediss://localhost:1'],
    { REDIS_SENTINEL_USERNAME: 'watcher', REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD },
  );
  t.deepEqual(statuses, [202, 202]);
  t.is(replayed, 'true');
  t.regex(String(node), new RegExp(`:${tlsPort}$`));
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), SENTINEL_PASSWORD]) {
    t.false(output.includes(secret));
  }
});
