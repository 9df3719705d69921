/** What CLIENT_CONFIG and PROVIDERS_CONFIG have in common: a JSON object whose members are checked by a schema. */
import * as yup from 'yup';
import type { AddFault } from './faults.js';
import { jsonFaultPosition } from './json-position.js';
import { repeatedMembers } from './json-text.js';

/** Receives the faults of one variable, and counts them. */
export interface FaultReporter {
  (path: string, message: string): void;
  count: number;
}

/** A JSON object, read. */
export interface Entries {
  readonly entries: readonly (readonly [string, unknown])[];
  /** Members that an earlier one of the same name precedes; see {@link repeatedMembers}. */
  readonly repeated: readonly (readonly (string | number)[])[];
}

/** What is said of a member that is there more than once. */
export const REPEATED = 'is given more than once; the last one counts';

/** What is said where there is no text at all. */
export const MISSING = 'is required: a JSON object';

/** Makes a reporter of a variable's faults. */
export function faultReporter(variable: string, add: AddFault): FaultReporter {
  const report: FaultReporter = (path, message) => {
    report.count += 1;
    add({ variable, path, message });
  };
  report.count = 0;
  return report;
}

/** Reads a JSON object; undefined, and a fault, where the text is none. No fault quotes the text: it holds API keys. */
export function readEntries(raw: string | undefined, report: FaultReporter): Entries | undefined {
  if (raw === undefined || raw.trim() === '') {
    report('', MISSING);
    return undefined;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch {
    // The parser's own words quote the text, and with it a key.
    const { line, column } = jsonFaultPosition(raw) ?? { line: 1, column: 1 };
    report('', `is not valid JSON: line ${line}, column ${column}`);
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    report('', 'must be a JSON object');
    return undefined;
  }
  return { entries: Object.entries(parsed), repeated: repeatedMembers(raw) };
}

/** Returns the value if it is as the schema wants it; else undefined, and each fault with its path behind `path`. */
export function check<T>(
  schema: yup.Schema<T>,
  value: unknown,
  path: string,
  report: FaultReporter,
): T | undefined {
  try {
    return schema.validateSync(value, { strict: true, abortEarly: false });
  } catch (error) {
    if (!yup.ValidationError.isError(error)) throw error;
    const faults = error.inner.length > 0 ? error.inner : [error];
    for (const fault of faults) {
      const place = fault.path ? (fault.path.startsWith('[') ? fault.path : `.${fault.path}`) : '';
      report(`${path}${place}`, fault.message);
    }
    return undefined;
  }
}
