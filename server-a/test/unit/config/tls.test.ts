/** Certificates and keys that cannot work are faults of their variables, before any server sees them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ConfigFault } from '../../../src/config/faults.js';
import { readTls } from '../../../src/config/tls.js';
import { Authority } from '../../support/certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway-test-tls-config-'));

const authority = Authority.create(folder, 'Test authority');
const client = authority.issue({ name: 'client' });
const another = authority.issue({ name: 'another' });
const FILES = {
  text: file('text', 'no certificate'),
  broken: file('broken', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
  halfBroken: file('half', `${readFileSync(authority.cert, 'utf8')}${readFileSync(join(folder, 'broken'))}`),
  der: openssl('der', 'x509', '-in', client.cert, '-outform', 'der'),
  encrypted: openssl('encrypted', 'pkcs8', '-topk8', '-in', client.key, '-passout', 'pass:pass-word'),
  weakKey: join(folder, 'weak.key'),
  weak: openssl(
    'weak',
    ...[
      'req',
      '-x509',
      '-newkey',
      'rsa:512',
      '-nodes',
      '-subj',
      '/CN=weak',
      '-keyout',
      join(folder, 'weak.key'),
    ],
  ),
};

test.after.always(() => rm(folder, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function openssl(name: string, ...args: string[]): string {
  execFileSync('openssl', [...args, '-out', join(folder, name)], { stdio: 'pipe' });
  return join(folder, name);
}

/** The three variables of Redis, and what is found wrong with them. */
function check(ca?: string, cert?: string, key?: string) {
  const faults: ConfigFault[] = [];
  const given = { REDIS_TLS_CA_FILE: ca, REDIS_TLS_CERT_FILE: cert, REDIS_TLS_KEY_FILE: key };
  const tls = readTls('REDIS', given, (fault) => void faults.push(fault));
  return { tls, faults: faults.map(({ variable, message }) => `${variable} ${message}`) };
}

test('tls files: an authority, a certificate and its key -> read, no fault', async (t) => {
  const { tls, faults } = check(authority.cert, client.cert, client.key);
  t.deepEqual(faults, []);
  t.deepEqual(tls, {
    ca: readFileSync(authority.cert),
    cert: readFileSync(client.cert),
    key: readFileSync(client.key),
  });
});

test('tls files: none -> none, no fault', (t) => t.deepEqual(check(), { tls: {}, faults: [] }));

const CA = 'REDIS_TLS_CA_FILE';
const CERT = 'REDIS_TLS_CERT_FILE';
const KEY = 'REDIS_TLS_KEY_FILE';

for (const [circumstance, given, fault] of [
  ['an authority that is not there', ['/not/there'], `${CA} names a file that cannot be read (ENOENT)`],
  ['an authority without PEM', [FILES.text], `${CA} names a file that holds no certificate in PEM form`],
  ['an authority in binary form', [FILES.der], `${CA} names a file that holds no certificate in PEM form`],
  ['a broken authority', [FILES.broken], `${CA} names a file with a certificate that cannot be read`],
  [
    'two authorities, the second broken',
    [FILES.halfBroken],
    `${CA} names a file with a certificate that cannot be read`,
  ],
  ['a key for an authority', [client.key], `${CA} names a file that holds no certificate in PEM form`],
  ['a certificate without a key', [undefined, client.cert], `${KEY} is required with ${CERT}`],
  ['a key without a certificate', [undefined, undefined, client.key], `${CERT} is required with ${KEY}`],
  [
    'a broken certificate',
    [undefined, FILES.broken, client.key],
    `${CERT} names a file with a certificate that cannot be read`,
  ],
  [
    'a certificate for a key',
    [undefined, client.cert, client.cert],
    `${KEY} names a file that holds no private key in PEM form`,
  ],
  [
    'an encrypted key',
    [undefined, client.cert, FILES.encrypted],
    `${KEY} names a file with an encrypted key; it must not be encrypted`,
  ],
  [
    'the key of another certificate',
    [undefined, client.cert, another.key],
    `${KEY} holds the key of another certificate than ${CERT}`,
  ],
  [
    'a key that is too short',
    [undefined, FILES.weak, FILES.weakKey],
    `${CERT} names a certificate that cannot be used (ERR_SSL_EE_KEY_TOO_SMALL)`,
  ],
] as const) {
  test(`tls files: ${circumstance} -> one fault that says so`, (t) => {
    t.deepEqual(check(...given).faults, [fault]);
  });
}
