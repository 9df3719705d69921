/** Holds every message that a test takes from a queue to the contract with consumers. */
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import type { ConsumeMessage } from 'amqplib';
import { parse } from 'yaml';
import { asObject, type JsonObject } from './json.js';

/** The contract with consumers, server-a/asyncapi.yaml. */
export const ASYNCAPI: JsonObject = asObject(
  parse(readFileSync(new URL('../../asyncapi.yaml', import.meta.url), 'utf8')),
);

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(ASYNCAPI, 'asyncapi');

interface Validators {
  readonly payload: ValidateFunction;
  readonly properties: ValidateFunction;
  readonly headers: ValidateFunction;
}

const schema = (name: string): ValidateFunction =>
  ajv.compile({ $ref: `asyncapi#/components/schemas/${name}` });

/** By the AMQP property `type`. */
const VALIDATORS: ReadonlyMap<string, Validators> = new Map([
  [
    'sms.outbound.v1',
    {
      payload: schema('Envelope'),
      properties: schema('EnvelopeProperties'),
      headers: schema('TraceHeaders'),
    },
  ],
  [
    'sms.heartbeat.v1',
    {
      payload: schema('Heartbeat'),
      properties: schema('HeartbeatProperties'),
      headers: ajv.compile({ type: 'object', maxProperties: 0 }),
    },
  ],
]);

/** Header that the broker gives to a dead letter; it also takes the expiration away, so that it does not expire again. */
const DEAD_LETTER = 'x-death';

/** Returns what of a message is not as documented (its type, properties, headers, payload); '' = nothing. */
export function faultsOfMessage({ content, properties }: ConsumeMessage): string {
  const validators = VALIDATORS.get(String(properties.type));
  if (validators === undefined) return `a message of type ${properties.type}`;
  const headers = properties.headers ?? {};
  const payload: unknown = JSON.parse(content.toString('utf8'));
  const faults = faultsOf(validators.payload, payload);
  if (faults !== '' || DEAD_LETTER in headers) return faults;
  return faultsOf(validators.properties, defined(properties)) || faultsOf(validators.headers, headers);
}

const faultsOf = (validate: ValidateFunction, value: unknown): string =>
  validate(value) ? '' : ajv.errorsText(validate.errors);

/** The properties that are there: amqplib names all of them. */
function defined(properties: object): object {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
