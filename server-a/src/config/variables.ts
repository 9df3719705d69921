/** Where the configuration is read from. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigError } from './faults.js';
import { codeOf } from './files.js';

/** Raw values by the names of their variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Name of the file beside the process that stands in for variables in development. */
const DOT_ENV = '.env';

const isProduction = (): boolean => process.env['NODE_ENV'] === 'production';

/** Says where variables were looked for, in a sentence: for whoever finds that a required one is missing. */
export function whereVariablesAre(): string {
  if (isProduction()) return 'Only real variables count, because NODE_ENV is production: no .env is read.';
  const file = resolve(DOT_ENV);
  return existsSync(DOT_ENV) ? `Neither the environment nor ${file} has it.` : `There is no ${file}.`;
}

/**
 * Returns the process's variables; while it is not in production, also those of a `.env` beside it, where real ones win.
 *
 * @throws {ConfigError} when there is a `.env` that cannot be read
 */
export function readVariables(): Variables {
  if (isProduction() || !existsSync(DOT_ENV)) return process.env;
  try {
    return { ...parseEnv(readFileSync(DOT_ENV, 'utf8')), ...process.env };
  } catch (error) {
    const message = `is there and cannot be read (${codeOf(error)})`;
    throw new ConfigError([{ variable: DOT_ENV, path: '', message }]);
  }
}
