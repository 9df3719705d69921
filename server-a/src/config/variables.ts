/** Where the configuration is read from. */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** Raw values by the names of their variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Name of the file beside the process that stands in for variables in development. */
const DOT_ENV = '.env';

/** Returns the process's variables; while it is not in production, also those of a `.env` beside it, where real ones win. */
export function readVariables(): Variables {
  if (process.env['NODE_ENV'] === 'production' || !existsSync(DOT_ENV)) return process.env;
  return { ...parseEnv(readFileSync(DOT_ENV, 'utf8')), ...process.env };
}
