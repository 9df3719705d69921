import { type JsonObject, parseObject } from './json.js';

const LEVELS: readonly unknown[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Parses the whole lines of a gateway's stdout. @throws Error at a line that is no JSON object */
export function parseLines(stdout: string): JsonObject[] {
  const lines = stdout.split('\n');
  // What follows the last line end is not a whole line yet.
  return lines.slice(0, -1).map(parseObject);
}

/** Returns what is wrong with a gateway's output: lines without their four fields, and secrets that came out. */
export function faultsOfOutput(stdout: string, stderr: string, secrets: readonly string[]): string[] {
  const faults: string[] = [];
  if (stdout !== '' && !stdout.endsWith('\n')) faults.push('stdout ends within a line');
  for (const line of stdout.split('\n').slice(0, -1)) faults.push(...faultsOfLine(line));
  for (const secret of secrets) {
    if (stdout.includes(secret)) faults.push(`stdout shows ${secret}: ${lineWith(stdout, secret)}`);
    if (stderr.includes(secret)) faults.push(`stderr shows ${secret}: ${lineWith(stderr, secret)}`);
  }
  return faults;
}

function faultsOfLine(line: string): string[] {
  let fields: JsonObject;
  try {
    fields = parseObject(line);
  } catch {
    return [`not a JSON line: ${line}`];
  }
  const { service, level, timestamp, message } = fields;
  const right =
    typeof service === 'string' &&
    LEVELS.includes(level) &&
    typeof timestamp === 'string' &&
    ISO_TIME.test(timestamp) &&
    typeof message === 'string';
  return right ? [] : [`service, level, timestamp or message is wrong: ${line}`];
}

function lineWith(output: string, text: string): string {
  return output.split('\n').find((line) => line.includes(text)) ?? '';
}
