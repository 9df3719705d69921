/** Certificates of a connection that is made again and again: the next time with those that are in force then. */
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsFiles } from '../config/tls.js';

/** What a connection's TLS is made with. */
export interface TlsOptions {
  readonly secureContext?: SecureContext;
}

/** A set of certificates that can be renewed while connections hold on to {@link RenewableTls.options}. */
export class RenewableTls {
  readonly options: Required<TlsOptions>;
  #files: TlsFiles;

  constructor(files: TlsFiles) {
    this.#files = files;
    this.options = { secureContext: createSecureContext({ ...files }) };
  }

  /** The files in force. */
  get files(): TlsFiles {
    return this.#files;
  }

  /**
   * Puts other files in force, for connections that are made from now on; those that are open stay as they are.
   *
   * @returns false where they hold what they held before
   */
  renew(files: TlsFiles): boolean {
    const same = (['ca', 'cert', 'key'] as const).every((part) => {
      const [before, after] = [this.#files[part], files[part]];
      return before === after || (before !== undefined && after !== undefined && before.equals(after));
    });
    if (same) return false;
    // The clients copy their options once, so the object that they have copied a reference to is the one to change.
    Object.assign(this.options.secureContext, createSecureContext({ ...files }));
    this.#files = files;
    return true;
  }
}
