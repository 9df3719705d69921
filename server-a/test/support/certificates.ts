/** Certificates for tests, made with the openssl command. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

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

  /** Makes an authority. @throws Error when there is no openssl */
  static async create(folder: string, name: string): Promise<Authority> {
    const authority = new Authority(folder);
    await mkdir(folder, { recursive: true });
    await authority.#openssl('req', '-x509', ...NEW_KEY, '-keyout', 'authority.key', '-out', authority.cert, [
      ...['-days', '2', '-subj', `/CN=${name}`],
    ]);
    await Promise.all([
      writeFile(join(folder, 'index'), ''),
      writeFile(join(folder, 'serial'), '01\n'),
      writeFile(join(folder, 'authority.cnf'), SETTINGS),
    ]);
    return authority;
  }

  /** Signs a certificate; one after the other. */
  async issue({ name, host, key, expired = false }: CertificateRequest): Promise<CertificateFiles> {
    const files = { cert: join(this.#folder, `${name}.pem`), key: key ?? join(this.#folder, `${name}.key`) };
    await this.#openssl('req', '-new', '-out', 'request', '-subj', `/CN=${name}`, [
      ...(key === undefined ? [...NEW_KEY, '-keyout', files.key] : ['-key', key]),
      ...(host === undefined ? [] : ['-addext', `subjectAltName=DNS:${host}`]),
    ]);
    const until = Date.now() + (expired ? -DAY_MS : DAY_MS);
    await this.#openssl('ca', '-batch', '-config', 'authority.cnf', '-in', 'request', '-out', files.cert, [
      ...['-startdate', asn1Time(until - 2 * DAY_MS), '-enddate', asn1Time(until), '-notext'],
    ]);
    return files;
  }

  async #openssl(command: string, ...args: readonly (string | readonly string[])[]): Promise<void> {
    await promisify(execFile)('openssl', [command, ...args.flat()], { cwd: this.#folder });
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
