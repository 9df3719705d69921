/** Certificates for tests, made with the openssl command. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of a certificate and its key, in PEM form. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for. */
export interface CertificateRequest {
  /** Its common name, and the names of its files. */
  readonly name: string;
  /** Host that it is for; none for a client. */
  readonly host?: string;
  /** Key that it shall have; a new one, if not given. */
  readonly key?: string;
  /** It was valid once, and is not any more. */
  readonly expired?: boolean;
  /** Days until it ends; 1, if not given. */
  readonly days?: number;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const DAY_MS = 86_400_000;

/** An authority with a folder of its own, which signs certificates. */
export class Authority {
  /** File of its own certificate. */
  readonly cert: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.cert = join(folder, 'authority.pem');
  }

  /** Makes an authority, for so many days. @throws Error when there is no openssl */
  static create(folder: string, name: string, days = 2): Authority {
    const authority = new Authority(folder);
    mkdirSync(folder, { recursive: true });
    authority.#openssl('req', '-x509', ...NEW_KEY, '-keyout', 'authority.key', '-out', authority.cert, [
      ...['-days', String(days), '-subj', `/CN=${name}`],
    ]);
    writeFileSync(join(folder, 'index'), '');
    writeFileSync(join(folder, 'serial'), '01\n');
    writeFileSync(join(folder, 'authority.cnf'), SETTINGS);
    return authority;
  }

  /** Signs a certificate. */
  issue({ name, host, key, expired = false, days = 1 }: CertificateRequest): CertificateFiles {
    const files = { cert: join(this.#folder, `${name}.pem`), key: key ?? join(this.#folder, `${name}.key`) };
    this.#openssl('req', '-new', '-out', 'request', '-subj', `/CN=${name}`, [
      ...(key === undefined ? [...NEW_KEY, '-keyout', files.key] : ['-key', key]),
      ...(host === undefined ? [] : ['-addext', `subjectAltName=DNS:${host}`]),
    ]);
    const until = Date.now() + (expired ? -1 : days) * DAY_MS;
    this.#openssl('ca', '-batch', '-config', 'authority.cnf', '-in', 'request', '-out', files.cert, [
      ...[
        '-startdate',
        asn1Time(Math.min(until, Date.now()) - DAY_MS),
        '-enddate',
        asn1Time(until),
        '-notext',
      ],
    ]);
    return files;
  }

  #openssl(command: string, ...args: readonly (string | readonly string[])[]): void {
    execFileSync('openssl', [command, ...args.flat()], { cwd: this.#folder, stdio: 'pipe' });
  }
}

/** For `openssl ca`, the one command that takes any two dates. */
const SETTINGS = `
[ca]
default_ca = authority
[authority]
certificate = authority.pem
private_key = authority.key
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = names
unique_subject = no
copy_extensions = copy
[names]
commonName = supplied
`;

/** A time as `openssl ca` reads it: YYYYMMDDHHMMSSZ. */
function asn1Time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}
