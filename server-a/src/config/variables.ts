/** Where the configuration is read from. */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from './faults.js';
import { codeOf } from './files.js';

/** Raw values by the names of their variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Name of the file beside the process that stands in for variables in development. */
const DOT_ENV = '.env';

/**
 * Returns the process's variables; while it is not in production, also those of a `.env` beside it, where real ones win.
 *
 * @throws {ConfigError} when there is a `.env` that cannot be read
 */
export function readVariables(): Variables {
  if (process.env['NODE_ENV'] === 'production' || !existsSync(DOT_ENV)) return process.env;
  try {
    return { ...parseEnv(readFileSync(DOT_ENV, 'utf8')), ...process.env };
  } catch (error) {
    const message = `is there and cannot be read (${codeOf(error)})`;
    throw new ConfigError([{ variable: DOT_ENV, path: '', message }]);
  }
}
