/**
 * The catalogue of environment variables: name, default, meaning and how each is read. The README's table is made from
 * this object by `make docs`.
 */
import * as yup from 'yup';
import { faultOfRabbitMqUrls, faultOfRedisUrls } from './urls.js';

declare module 'yup' {
  interface CustomSchemaMetadata {
    /** Value when the variable is not set; undefined = stays absent. */
    fallback?: string | number | boolean;
    /** What the variable is, for the README. */
    help?: string;
    /** What it may be, in Markdown, for the README; undefined = the schema's range or choices say it. */
    values?: string;
    /** Turns the raw text into what the schema then checks; a text it cannot read stays a text, and is refused. */
    read?: (raw: string) => unknown;
  }
}

/** Bytes of a short string in AMQP, such as the name of an application. */
const SHORT_STRING_BYTES = 255;

const asIs = (raw: string): unknown => raw;

function text(fallback: string, help: string, pattern = /^\S+$/, expected = 'a word without spaces') {
  return yup
    .string()
    .defined()
    .matches(pattern, { message: `must be ${expected}` })
    .meta({ fallback, help, values: expected, read: asIs });
}

/** A word that goes into AMQP's short strings. */
function shortWord(fallback: string, help: string) {
  return text(fallback, help)
    .meta({ values: `a word without spaces, at most ${SHORT_STRING_BYTES} bytes` })
    .test(
      'bytes',
      `must have at most ${SHORT_STRING_BYTES} bytes`,
      (value) => Buffer.byteLength(value) <= SHORT_STRING_BYTES,
    );
}

/** Only plain digits are a number here: '1e3', '0x10' and ' 5' stay texts. */
const readInteger = (raw: string): unknown => (/^\d{1,15}$/.test(raw) ? Number(raw) : raw);

function integer(fallback: number, min: number, max: number, help: string) {
  const expected = `must be a whole number from ${min} to ${max}`;
  return yup
    .number()
    .defined()
    .typeError(expected)
    .integer(expected)
    .min(min, expected)
    .max(max, expected)
    .meta({ fallback, help, read: readInteger });
}

/** As {@link integer}, and absent when not set. */
function optionalInteger(min: number, max: number, help: string) {
  const expected = `must be a whole number from ${min} to ${max}`;
  return yup
    .number()
    .typeError(expected)
    .integer(expected)
    .min(min, expected)
    .max(max, expected)
    .meta({ help, read: readInteger });
}

function flag(fallback: boolean, help: string) {
  const values = new Map([
    ['true', true],
    ['false', false],
  ]);
  return yup
    .boolean()
    .defined()
    .typeError('must be true or false')
    .meta({ fallback, help, read: (raw) => values.get(raw.toLowerCase()) ?? raw });
}

function choice<const T extends string>(fallback: NoInfer<T>, options: readonly T[], help: string) {
  return yup
    .string()
    .defined()
    .oneOf(options, `must be one of: ${options.join(', ')}`)
    .meta({ fallback, help, read: asIs });
}

function url(
  fallback: string,
  schemes: readonly string[],
  faultOf: (value: string) => string | undefined,
  help: string,
) {
  const values = schemes.map((scheme) => `\`${scheme}://\``).join(' or ');
  return yup
    .string()
    .defined()
    .test('url', (value, context) => {
      const message = faultOf(value);
      return message === undefined || context.createError({ message });
    })
    .meta({ fallback, help, values, read: asIs });
}

/** Any text; empty by default, and never shown. */
function secret(help: string) {
  return yup.string().defined().meta({ fallback: '', help, values: 'any text', read: asIs });
}

function optionalPath(help: string) {
  return yup.string().meta({ help, values: 'path', read: asIs });
}

/** First part of a Redis key: a ':' or a brace in it could make two keys of different meanings the same, as 'idem' would. */
const KEY_PREFIX = /^(?!idem$)[^\s:{}\0]{1,255}$/;
const KEY_PREFIX_EXPECTED = '1 to 255 characters without spaces, ":", "{" and "}", and not idem';

/** A queue's name: printable, at most 255 bytes (AMQP's short string), and not one of the broker's own. */
const QUEUE_NAME = /^(?!amq\.)[\x21-\x7e]{1,250}$/;
const QUEUE_NAME_EXPECTED = '1 to 250 visible ASCII characters, not beginning with amq.';

/** Every variable that Server A reads, in the order of the README. */
export const ENVIRONMENT = yup.object({
  SERVICE_NAME: shortWord('server-a', 'Name of this service in logs, messages and heartbeats'),
  SERVER_A_HOST: text('0.0.0.0', 'Address to listen on'),
  SERVER_A_PORT: integer(8000, 0, 65535, 'Port to listen on; 0 = any free port'),
  OPERATIONS_PORT: optionalInteger(
    0,
    65535,
    "Port of its own for /readyz, /metrics and /openapi.json; without it they are on the senders' port",
  ),
  REDIS_MODE: choice(
    'single',
    ['single', 'sentinel', 'cluster'],
    'What REDIS_URL names: one Redis, the sentinels of one, or nodes of a Redis Cluster',
  ),
  REDIS_URL: url(
    'redis://redis:6379/0',
    ['redis', 'rediss'],
    faultOfRedisUrls,
    'Redis of idempotency records and quota counters; several URLs are separated by commas',
  ),
  REDIS_SENTINEL_MASTER: text('mymaster', 'Name of the master that the sentinels are asked for'),
  REDIS_SENTINEL_USERNAME: secret('User at the sentinels, where they have users'),
  REDIS_SENTINEL_PASSWORD: secret('Password at the sentinels, where they have one'),
  RABBITMQ_URL: url(
    'amqp://guest:guest@rabbitmq:5672/',
    ['amqp', 'amqps'],
    faultOfRabbitMqUrls,
    'RabbitMQ that messages are handed to; several URLs of one cluster are separated by commas',
  ),
  PROVIDER_GATE_ENABLED: flag(true, 'Refuse requests for unknown or disabled providers'),
  IDEMPOTENCY_TTL_SECONDS: integer(86_400, 1, 31_536_000, 'Seconds that an answer is replayed to its key'),
  IDEMPOTENCY_MISMATCH: choice(
    'replay',
    ['replay', 'reject'],
    'A used key with another body: replay the first answer and warn, or reject with 400',
  ),
  TRACKING_ID_SECRET: secret('Secret that tracking ids are derived with; the same on all replicas'),
  QUOTA_PREFIX: text('quota', 'First part of the keys of quota counters', KEY_PREFIX, KEY_PREFIX_EXPECTED),
  HEARTBEAT_INTERVAL_SECONDS: integer(60, 1, 86_400, 'Seconds between heartbeats to Server B'),
  RABBITMQ_OUTBOUND_QUEUE: text(
    'sms.outbound',
    'Queue of accepted messages',
    QUEUE_NAME,
    QUEUE_NAME_EXPECTED,
  ),
  RABBITMQ_HEARTBEAT_QUEUE: text('sms.heartbeat', 'Queue of heartbeats', QUEUE_NAME, QUEUE_NAME_EXPECTED),
  RABBITMQ_QUEUE_TYPE: choice(
    'quorum',
    ['quorum', 'classic'],
    'Type of the outbound queue and its dead letters',
  ),
  PUBLISH_TIMEOUT_MS: integer(1200, 50, 60_000, "Milliseconds to wait for the broker's confirm"),
  REDIS_TIMEOUT_MS: integer(500, 50, 60_000, 'Milliseconds to wait for an answer of Redis'),
  MAX_IN_FLIGHT: integer(2000, 1, 60_000, 'Messages that may wait for a confirm; more are refused at once'),
  SHUTDOWN_DELAY_MS: integer(
    0,
    0,
    600_000,
    'Milliseconds to go on serving after SIGTERM, not ready, so that balancers turn away first',
  ),
  MAX_CONNECTIONS: integer(
    5000,
    1,
    1_000_000,
    'Connections of senders that may be open; more are closed as they come',
  ),
  SHUTDOWN_TIMEOUT_MS: integer(
    10_000,
    100,
    600_000,
    'Milliseconds that a shutdown may take after that delay before it is cut short',
  ),
  LOG_LEVEL: choice(
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'Least level that is logged',
  ),
  REDIS_TLS_CA_FILE: optionalPath('CA certificate for rediss://'),
  REDIS_TLS_CERT_FILE: optionalPath('Client certificate for rediss://'),
  REDIS_TLS_KEY_FILE: optionalPath("Client certificate's key for rediss://"),
  RABBITMQ_TLS_CA_FILE: optionalPath('CA certificate for amqps://'),
  RABBITMQ_TLS_CERT_FILE: optionalPath('Client certificate for amqps://'),
  RABBITMQ_TLS_KEY_FILE: optionalPath("Client certificate's key for amqps://"),
});

/** The two variables whose JSON has a schema of its own (see registry.ts); both are required. */
export const JSON_VARIABLES = {
  CLIENT_CONFIG:
    'Clients by API key or its SHA-256: {"<api key>":{"name":"…","is_active":true,"daily_quota":1000}}',
  PROVIDERS_CONFIG:
    'Providers by name: {"<name>":{"is_active":true,"is_operational":true,"aliases":["…"],"note":"…"}}',
} as const;

/** Variables that may be given as `<NAME>_FILE` instead: the file's content is the value, one newline at its end aside. */
export const FILE_VARIABLES = [
  'CLIENT_CONFIG',
  'PROVIDERS_CONFIG',
  'REDIS_URL',
  'REDIS_SENTINEL_PASSWORD',
  'RABBITMQ_URL',
  'TRACKING_ID_SECRET',
] as const;

/** The typed values of {@link ENVIRONMENT}. */
export type Environment = yup.InferType<typeof ENVIRONMENT>;
