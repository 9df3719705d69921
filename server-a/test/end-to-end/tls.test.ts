/** A gateway whose Redis and RabbitMQ take TLS connections only from clients with a certificate. */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { findFreePort } from '../../dev/services/free-port.js';
import { startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { startRedisServer } from '../../dev/services/redis-server.js';
import { Authority, type CertificateFiles } from '../support/certificates.js';
import type { Gateway } from '../support/gateway.js';
import { asObject } from '../support/json.js';
import { Outbox } from '../support/outbox.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const PASSWORD = 'pass/w@rd';
const LOGIN = `gateway:${encodeURIComponent(PASSWORD)}`;
const DATABASE = 5;

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-tls-'));
const authority = Authority.create(join(folder, 'authority'), 'Test authority');
const stranger = Authority.create(join(folder, 'stranger'), 'Another authority');
const server = authority.issue({ name: 'server', host: 'localhost' });
const expired = authority.issue({ name: 'expired', host: 'localhost', key: server.key, expired: true });
const client = authority.issue({ name: 'client' });
const strangersClient = stranger.issue({ name: 'client' });
/** The certificate that both servers show now. */
const shown = join(folder, 'shown.pem');
await copyFile(server.cert, shown);

const [redisPort, rabbitmqPort] = [await findFreePort(), await findFreePort()];
const [redis, rabbitmq] = await Promise.all([
  startRedisServer({
    dataDir: join(folder, 'redis'),
    extraArgs: [
      ...['--tls-port', String(redisPort), '--tls-cert-file', shown, '--tls-key-file', server.key],
      ...['--tls-ca-cert-file', authority.cert, '--tls-auth-clients', 'yes'],
      ...['--user', 'gateway', 'on', `>${PASSWORD}`, '~*', '&*', '+@all'],
    ],
  }),
  startRabbitMqServer({
    dataDir: join(folder, 'rabbitmq'),
    extraConfig: [
      `listeners.ssl.1 = 127.0.0.1:${rabbitmqPort}`,
      `ssl_options.cacertfile = ${authority.cert}`,
      `ssl_options.certfile = ${shown}`,
      `ssl_options.keyfile = ${server.key}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
    ],
  }),
]);
await rabbitmq.ctl('add_user', 'gateway', PASSWORD);
await rabbitmq.ctl('set_permissions', 'gateway', '.*', '.*', '.*');
const admin = new Redis(redis.port, { db: DATABASE });
admin.on('error', () => {});
const site = new Site({ variables: await variables('localhost') });
/** The same servers, by a name that is not in their certificate. */
const elsewhere = await variables('127.0.0.1');
/** A server that does not want our certificate says so, or is gone before it is heard; then the log has a hint. */
const REFUSED =
  /^(ERR_SSL_\w+_ALERT_(CERTIFICATE_REQUIRED|UNKNOWN_CA)|(ECONNRESET|EPIPE), .* client certificate .*)$/;

test.after.always(async () => {
  await site.close();
  admin.disconnect();
  await Promise.all([redis.kill(), rabbitmq.kill()]);
  await rm(folder, { recursive: true, force: true });
});

/** A gateway's variables: URLs in files, our authority, and a certificate to show. */
async function variables(host: string): Promise<Record<string, string>> {
  const files = {
    REDIS_URL_FILE: join(folder, `redis-${host}`),
    RABBITMQ_URL_FILE: join(folder, `rabbitmq-${host}`),
  };
  await writeFile(files.REDIS_URL_FILE, `rediss://${LOGIN}@${host}:${redisPort}/${DATABASE}\n`);
  await writeFile(files.RABBITMQ_URL_FILE, `amqps://${LOGIN}@${host}:${rabbitmqPort}\n`);
  return {
    ...{ REDIS_URL: '', RABBITMQ_URL: '', ...files },
    ...{ REDIS_TLS_CA_FILE: authority.cert, RABBITMQ_TLS_CA_FILE: authority.cert },
    ...showing('REDIS', client),
    ...showing('RABBITMQ', client),
  };
}

function showing(service: string, files: CertificateFiles | undefined): Record<string, string> {
  return {
    [`${service}_TLS_CERT_FILE`]: files?.cert ?? '',
    [`${service}_TLS_KEY_FILE`]: files?.key ?? '',
  };
}

async function accepted(t: ExecutionContext, gateway: Gateway): Promise<void> {
  const body = newBody();
  const request = { apiKey: site.apiKey('main'), idempotencyKey: randomUUID(), body };
  t.is((await gateway.send(request)).status, 202);
  t.true(Number(await admin.get(site.counterKey('main'))) > 0);
  const outbox = await Outbox.open(site.outboundQueue, rabbitmq.url);
  await waitFor('the message', () => outbox.received.some(({ envelope }) => envelope['text'] === body.text));
  await outbox.close();
}

/** Waits for the line of a failed connection, and returns what it says; no output may show the password. */
async function failure(t: ExecutionContext, gateway: Gateway, message: string): Promise<string> {
  const line = await gateway.line(message);
  t.is((await gateway.ask('/readyz')).status, 503);
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) {
    t.false(gateway.process.stdout.includes(secret));
    t.false(gateway.process.stderr.includes(secret));
  }
  return [asObject(line['err'])['code'], line['hint']].filter((said) => said !== undefined).join(', ');
}

test.serial('tls: both services, with an authority and a certificate of our own -> 202', async (t) => {
  const gateway = await site.startGateway();
  await accepted(t, gateway);
  t.regex(String(await admin.client('LIST')), /user=gateway/);
});

for (const { service, message, other } of [
  { service: 'REDIS', message: 'redis.error', other: 'rabbitmq.ready' },
  { service: 'RABBITMQ', message: 'rabbitmq.connect_failed', other: 'redis.ready' },
] as const) {
  const url = `${service}_URL_FILE`;
  for (const [circumstance, code, change] of [
    ['of another authority', /^SELF_SIGNED_CERT_IN_CHAIN$/, { [`${service}_TLS_CA_FILE`]: stranger.cert }],
    ['for another host', /^ERR_TLS_CERT_ALTNAME_INVALID$/, { [url]: elsewhere[url] ?? '' }],
    ['fine, and none of our own', REFUSED, showing(service, undefined)],
    ['fine, and one of our own that the server does not know', REFUSED, showing(service, strangersClient)],
  ] as const) {
    test.serial(
      `tls: ${service}, a certificate ${circumstance} -> not ready, the log says why`,
      async (t) => {
        const gateway = await site.startGateway(change, { untilReady: false });
        t.regex(await failure(t, gateway, message), code);
        await gateway.line(other);
        await gateway.stop();
      },
    );
  }
}

test.serial(
  'tls: our own certificates are renewed in their files -> in force without a restart',
  async (t) => {
    const renewed = join(folder, 'renewed');
    await mkdir(renewed);
    const files = { cert: join(renewed, 'cert.pem'), key: join(renewed, 'key.pem') };
    const put = async (from: CertificateFiles): Promise<void> => {
      await copyFile(from.key, files.key);
      await copyFile(from.cert, files.cert);
    };
    await put(strangersClient);
    const gateway = await site.startGateway(
      { ...showing('REDIS', files), ...showing('RABBITMQ', files) },
      { untilReady: false },
    );
    t.regex(await failure(t, gateway, 'redis.error'), REFUSED);
    t.regex(await failure(t, gateway, 'rabbitmq.connect_failed'), REFUSED);
    await put(client);
    for (const service of ['redis', 'rabbitmq']) {
      await gateway.line('config.certificates_renewed', (line) => line['service'] === service);
    }
    await gateway.untilReady();
    await accepted(t, gateway);
    await gateway.stop();
  },
);

test.serial('tls: certificates that have expired -> not ready; ready by itself with new ones', async (t) => {
  await showFromNowOn(expired.cert);
  const gateway = await site.startGateway({}, { untilReady: false });
  t.is(await failure(t, gateway, 'redis.error'), 'CERT_HAS_EXPIRED');
  t.is(await failure(t, gateway, 'rabbitmq.connect_failed'), 'CERT_HAS_EXPIRED');
  await showFromNowOn(server.cert);
  await gateway.untilReady();
  await accepted(t, gateway);
});

test.serial('tls: both servers end and start again -> ready by itself', async (t) => {
  const gateway = await site.startGateway();
  await Promise.all([redis.stop(), rabbitmq.stop()]);
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 500);
  await Promise.all([redis.start(), rabbitmq.start()]);
  await gateway.untilReady();
  await accepted(t, gateway);
});

async function showFromNowOn(cert: string): Promise<void> {
  await copyFile(cert, shown);
  await admin.config('SET', 'tls-cert-file', shown);
  await rabbitmq.ctl('eval', 'ssl:clear_pem_cache().');
}
