import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { startCertificateGauges, tlsTargets } from '../../../src/background/certificate-gauges.js';
import { certificatesIn } from '../../../src/config/tls.js';
import { createMetrics } from '../../../src/metrics.js';
import { Authority } from '../../support/certificates.js';
import { waitFor } from '../../support/wait-for.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway-test-certificates-'));
const authority = Authority.create(join(folder, 'authority'), 'Test authority');
const server = authority.issue({ name: 'server', host: 'localhost' });
const expired = authority.issue({ name: 'expired', host: 'localhost', expired: true });
const client = authority.issue({ name: 'client' });

test.after.always(() => rm(folder, { recursive: true, force: true }));

const endOf = async (file: string): Promise<number | undefined> => {
  const [first] = certificatesIn(await readFile(file));
  return first && Date.parse(first.validTo) / 1000;
};

/** Serves with the certificate that has expired, until the test ends. */
async function serveExpired(t: ExecutionContext) {
  const tls = createServer({ cert: await readFile(expired.cert), key: await readFile(expired.key) });
  tls.listen(0, '127.0.0.1');
  t.teardown(() => tls.close());
  await waitFor('a listening server', () => tls.listening);
  const address = tls.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { tls, port: address.port };
}

test('certificate gauges: files, and a server whose certificate has expired -> the end of each', async (t) => {
  const { port } = await serveExpired(t);
  const metrics = createMetrics();
  const files = {
    ca: await readFile(authority.cert),
    cert: await readFile(client.cert),
    key: await readFile(client.key),
  };
  const gauges = startCertificateGauges(
    [
      { service: 'redis', addresses: [{ host: '127.0.0.1', port }], files: () => files },
      { service: 'rabbitmq', addresses: [], files: () => ({}) },
    ],
    metrics,
  );
  t.teardown(gauges.stop);
  const seen = await waitFor('three certificates', async () => {
    const { values } = await metrics.certificateExpiry.get();
    return values.length === 3 && values;
  });
  t.deepEqual(
    new Map(seen.map(({ labels, value }) => [`${labels.service} ${labels.certificate}`, value])),
    new Map([
      ['redis authority', await endOf(authority.cert)],
      ['redis client', await endOf(client.cert)],
      ['redis server', await endOf(expired.cert)],
    ]),
  );
});

test('certificate gauges: the server renews its certificate -> seen at the next look', async (t) => {
  const { tls, port } = await serveExpired(t);
  const metrics = createMetrics();
  const target = {
    service: 'rabbitmq',
    addresses: [{ host: 'localhost', port }],
    files: () => ({}),
  } as const;
  const gauges = startCertificateGauges([target], metrics);
  t.teardown(gauges.stop);
  const end = async () => (await metrics.certificateExpiry.get()).values[0]?.value;
  const [old, renewed] = [await endOf(expired.cert), await endOf(server.cert)];
  await waitFor('the first', async () => (await end()) === old);
  tls.setSecureContext({ cert: await readFile(server.cert), key: await readFile(server.key) });
  gauges.refreshNow();
  await waitFor('the second', async () => (await end()) === renewed);
  t.pass();
});

test('certificate gauges: several URLs -> each is looked at, at the port of its kind; none without TLS', (t) => {
  const files = { redis: { files: {} }, rabbitmq: { files: {} } };
  const addressesOf = (env: Parameters<typeof tlsTargets>[0]) =>
    tlsTargets(env, files).map(({ service, addresses }) => [service, addresses]);
  const RABBITMQ_URL = 'amqps://r1/,amqps://[::1]:5673/';
  t.deepEqual(
    addressesOf({ REDIS_MODE: 'sentinel', REDIS_URL: 'rediss://s1,rediss://s2:7000', RABBITMQ_URL }),
    [
      [
        'redis',
        [
          { host: 's1', port: 26_379 },
          { host: 's2', port: 7000 },
        ],
      ],
      [
        'rabbitmq',
        [
          { host: 'r1', port: 5671 },
          { host: '::1', port: 5673 },
        ],
      ],
    ],
  );
  const plain = { REDIS_MODE: 'single', REDIS_URL: 'redis://r', RABBITMQ_URL: 'amqp://r' } as const;
  t.deepEqual(addressesOf(plain), [
    ['redis', []],
    ['rabbitmq', []],
  ]);
});
