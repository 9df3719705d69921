import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { asObject, type JsonObject } from './json.js';

/** The contract with senders, server-a/openapi.yaml. */
export const OPENAPI: JsonObject = asObject(
  parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(OPENAPI, 'openapi');
const validators = new Map<string, ValidateFunction>();

/** Returns what lies at a JSON pointer of the document, with references followed. */
export function lookUp(
  pointer: string,
): { readonly value: JsonObject; readonly pointer: string } | undefined {
  let value: unknown = OPENAPI;
  let at = '';
  for (const part of pointer.split('/').slice(1)) {
    const next = asObject(value)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
    if (next === undefined) return undefined;
    at = `${at}/${part}`;
    value = next;
    const reference = asObject(next)['$ref'];
    if (typeof reference === 'string') {
      const target = lookUp(reference.slice(1));
      if (target === undefined) throw new Error(`${reference} leads nowhere`);
      ({ value, pointer: at } = target);
    }
  }
  return { value: asObject(value), pointer: at };
}

/** Validates a value against the schema at a JSON pointer of the document; returns what is wrong, '' = nothing. */
export function faultsBySchema(pointer: string, value: unknown): string {
  let validate = validators.get(pointer);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `openapi#${pointer}` });
    validators.set(pointer, validate);
  }
  return validate(value) ? '' : ajv.errorsText(validate.errors);
}

/** Name of a part of a JSON pointer. */
export const escaped = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');
