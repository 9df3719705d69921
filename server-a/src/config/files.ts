/** Files that variables name: read once, at the start; one that cannot be read is a fault of its variable. */
import { readFileSync } from 'node:fs';
import type { AddFault } from './faults.js';

/** Returns a file's bytes, or undefined after reporting why it cannot be read. */
export function readFile(variable: string, path: string, add: AddFault): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    add({ variable, path: '', message: `names a file that cannot be read (${codeOf(error)})` });
    return undefined;
  }
}

/** Returns what the system calls the problem, such as `EACCES`; its message would say more than that. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'error';
}
