/** Certificates and keys of the variables `<SERVICE>_TLS_*_FILE`: read, and checked as far as they can be without a server. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { AddFault } from './faults.js';
import { readFile } from './files.js';

/** Certificates for one service, as PEM; each that is there can be used. */
export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** The two services that may be reached over TLS, as their variables begin. */
export type TlsService = 'REDIS' | 'RABBITMQ';

/** One certificate of a file. */
const PEM_CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** Reads the three files of a service, and reports each that is not what it must be, or does not fit the others. */
export function readTls(
  service: TlsService,
  given: Readonly<Record<string, string | undefined>>,
  add: AddFault,
): TlsFiles {
  const names = {
    ca: `${service}_TLS_CA_FILE`,
    cert: `${service}_TLS_CERT_FILE`,
    key: `${service}_TLS_KEY_FILE`,
  };
  const read = (variable: string): Buffer | undefined => {
    const path = given[variable];
    return path === undefined ? undefined : readFile(variable, path, add);
  };
  const [ca, cert, key] = [read(names.ca), read(names.cert), read(names.key)];
  for (const [one, other] of [
    [names.cert, names.key],
    [names.key, names.cert],
  ] as const) {
    if (given[one] !== undefined && given[other] === undefined) {
      add({ variable: other, path: '', message: `is required with ${one}` });
    }
  }
  if (ca !== undefined) checkCertificates(names.ca, ca, add);
  const certificate = cert && checkCertificates(names.cert, cert, add);
  const privateKey = key && checkKey(names.key, key, add);
  if (certificate !== undefined && privateKey !== undefined) {
    if (!certificate.checkPrivateKey(privateKey)) {
      add({
        variable: names.key,
        path: '',
        message: `holds the key of another certificate than ${names.cert}`,
      });
    } else {
      checkUsable(names.cert, { cert, key }, add);
    }
  }
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/** Returns the certificates of a file in PEM, in order. @throws Error when one cannot be parsed */
export function certificatesIn(pem: Buffer): X509Certificate[] {
  return [...pem.toString('latin1').matchAll(PEM_CERTIFICATE)].map(([block]) => new X509Certificate(block));
}

/** Reports a file without certificates, or with one that is broken: TLS itself would pass over either in silence. */
function checkCertificates(variable: string, pem: Buffer, add: AddFault): X509Certificate | undefined {
  try {
    const [first] = certificatesIn(pem);
    if (first === undefined) {
      add({ variable, path: '', message: 'names a file that holds no certificate in PEM form' });
    }
    return first;
  } catch {
    add({ variable, path: '', message: 'names a file with a certificate that cannot be read' });
    return undefined;
  }
}

function checkKey(variable: string, pem: Buffer, add: AddFault): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // Said in both forms of PEM; the error's code for it differs with the version of Node.js.
    const encrypted = pem.includes('ENCRYPTED');
    add({
      variable,
      path: '',
      message: encrypted
        ? 'names a file with an encrypted key; it must not be encrypted'
        : 'names a file that holds no private key in PEM form',
    });
    return undefined;
  }
}

/** Reports what OpenSSL's own rules forbid, such as a key that is too short. */
function checkUsable(
  variable: string,
  pair: Readonly<Record<'cert' | 'key', Buffer | undefined>>,
  add: AddFault,
): void {
  try {
    createSecureContext(pair);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    add({ variable, path: '', message: `names a certificate that cannot be used (${code})` });
  }
}
