import type { Logger } from 'pino';
import { createLog } from '../../src/logging/log.js';
import { type JsonObject, parseObject } from './json.js';

/** Makes a log of this level, and the lines that it writes. */
export function logInto(level: string): { readonly log: Logger; readonly lines: JsonObject[] } {
  const lines: JsonObject[] = [];
  const log = createLog('a-service', level, { write: (line: string) => void lines.push(parseObject(line)) });
  return { log, lines };
}
