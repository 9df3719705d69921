/** Files that variables name: read once, at the start; one that cannot be read is a fault of its variable. */
import { existsSync, readFileSync } from 'node:fs';
import { type AddFault, ConfigError } from './faults.js';

/** Returns a file's bytes, or undefined after reporting why it cannot be read. */
export function readFile(variable: string, path: string, add: AddFault): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    add({ variable, path: '', message: `names a file that cannot be read (${codeOf(error)})` });
    return undefined;
  }
}

/**
 * Puts the variables of a `.env` in the working directory into the process's environment, in development (NODE_ENV is
 * not `production`) and where there is one. Variables that are set already win.
 *
 * @throws {ConfigError} when it cannot be read
 */
export function loadDotEnv(): void {
  if (process.env['NODE_ENV'] === 'production' || !existsSync('.env')) return;
  try {
    // Read here as well: this names the reason better.
    readFileSync('.env');
    process.loadEnvFile('.env');
  } catch (error) {
    throw new ConfigError([
      { variable: '.env', path: '', message: `is there and cannot be read (${codeOf(error)})` },
    ]);
  }
}

/** What the system calls the problem, such as `EACCES`; its message would name more than the code does. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'error';
}
