/**
 * The fields of a send request: one check for each, which is its only one. Written by hand because a check of a schema
 * library costs more than all else of a refusal; tests hold the checks to the schema of openapi.yaml.
 */
import { type FieldFault, OBJECT_EXPECTED, REQUIRED, UNKNOWN_FIELD } from '../errors.js';
import type { SendRequest } from './state.js';

/** E.164: a plus, then 7 to 15 ASCII digits of which the first is not 0. */
const E164 = /^\+[1-9][0-9]{6,14}$/;
const TEXT_MAX_CODE_POINTS = 1000;
const TTL = { min: 10, max: 86_400, fallback: 3600 };
const PROVIDERS_MAX = 32;

const TO_EXPECTED = 'must be an E.164 phone number: + and 7 to 15 digits, the first not 0';
const TEXT_EXPECTED = `must be a string of 1 to ${TEXT_MAX_CODE_POINTS} characters`;
const TEXT_BROKEN = 'must not contain half of a surrogate pair';
const TTL_EXPECTED = `must be a whole number from ${TTL.min} to ${TTL.max}`;
const PROVIDERS_EXPECTED = `must be a list of at most ${PROVIDERS_MAX} provider names`;

/** A field's value, or what would be right. */
type Read<T> = { readonly value: T } | { readonly fault: string };

/** A checked request, or every fault by field. */
export type Checked = { readonly request: SendRequest } | { readonly faults: readonly FieldFault[] };

/** Checks a parsed body; every fault at once, one a field. Nothing is converted. */
export function checkSendRequest(given: unknown): Checked {
  if (!isObject(given)) return { faults: [{ field: 'body', message: OBJECT_EXPECTED }] };
  const to = readTo(given['to']);
  const text = readText(given['text']);
  const ttl = readTtl(given['ttl_seconds']);
  const providers = readProviders(given['providers']);
  if ('value' in to && 'value' in text && 'value' in ttl && 'value' in providers && hasOnlyFields(given)) {
    return {
      request: { to: to.value, text: text.value, ttlSeconds: ttl.value, providers: providers.value },
    };
  }
  const read = Object.entries({ to, text, ttl_seconds: ttl, providers });
  const unknown = Object.keys(given).filter((field) => !isField(field));
  return {
    faults: [
      ...read.flatMap(([field, found]) => ('fault' in found ? [{ field, message: found.fault }] : [])),
      ...unknown.map((field) => ({ field, message: UNKNOWN_FIELD })),
    ],
  };
}

function isObject(given: unknown): given is Readonly<Partial<Record<string, unknown>>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}

/** What JSON.parse makes inherits no names. */
function hasOnlyFields(given: object): boolean {
  for (const name in given) if (!isField(name)) return false;
  return true;
}

function isField(name: string): boolean {
  return name === 'to' || name === 'text' || name === 'ttl_seconds' || name === 'providers';
}

function readTo(value: unknown): Read<string> {
  if (value === undefined || value === null || value === '') return { fault: REQUIRED };
  return typeof value === 'string' && E164.test(value) ? { value } : { fault: TO_EXPECTED };
}

function readText(value: unknown): Read<string> {
  if (value === undefined || value === null) return { fault: REQUIRED };
  if (typeof value !== 'string' || !hasTextLength(value)) return { fault: TEXT_EXPECTED };
  return value.isWellFormed() ? { value } : { fault: TEXT_BROKEN };
}

/** True for 1 to 1000 Unicode code points (an emoji counts once, though it is two UTF-16 units). */
function hasTextLength(text: string): boolean {
  if (text.length === 0 || text.length > 2 * TEXT_MAX_CODE_POINTS) return false;
  if (text.length <= TEXT_MAX_CODE_POINTS) return true;
  let codePoints = 0;
  for (const _ of text) codePoints += 1;
  return codePoints <= TEXT_MAX_CODE_POINTS;
}

/** `null` is as if the field were absent, here and for the providers. */
function readTtl(value: unknown): Read<number> {
  if (value === undefined || value === null) return { value: TTL.fallback };
  const isRight = isWhole(value) && value >= TTL.min && value <= TTL.max;
  return isRight ? { value } : { fault: TTL_EXPECTED };
}

const isWhole = (value: unknown): value is number => Number.isInteger(value);

function readProviders(value: unknown): Read<readonly string[] | undefined> {
  if (value === undefined || value === null) return { value: undefined };
  return isProviderList(value) ? { value } : { fault: PROVIDERS_EXPECTED };
}

function isProviderList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length <= PROVIDERS_MAX && value.every((name) => typeof name === 'string')
  );
}
