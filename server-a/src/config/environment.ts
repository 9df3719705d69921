/**
 * The catalogue of environment variables: name, default, meaning and how each is read. The README's table is held to
 * this object by a test.
 */
import * as yup from 'yup';
import { faultOfRabbitMqUrl, faultOfRedisUrl } from './urls.js';

declare module 'yup' {
  interface CustomSchemaMetadata {
    /** Value when the variable is not set; undefined = stays absent. */
    fallback?: string | number | boolean;
    /** What the variable is, for the README. */
    help?: string;
    /** Turns the raw text into what the schema then checks; a text it cannot read stays a text, and is refused. */
    read?: (raw: string) => unknown;
  }
}

const asIs = (raw: string): unknown => raw;

function text(fallback: string, help: string, pattern = /^\S+$/, expected = 'a word without spaces') {
  return yup
    .string()
    .defined()
    .matches(pattern, { message: `must be ${expected}` })
    .meta({ fallback, help, read: asIs });
}

function integer(fallback: number, min: number, max: number, help: string) {
  const expected = `must be a whole number from ${min} to ${max}`;
  return (
    yup
      .number()
      .defined()
      .typeError(expected)
      .integer(expected)
      .min(min, expected)
      .max(max, expected)
      // Only plain digits are a number here: '1e3', '0x10' and ' 5' stay texts.
      .meta({ fallback, help, read: (raw) => (/^\d{1,15}$/.test(raw) ? Number(raw) : raw) })
  );
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

function url(fallback: string, faultOf: (value: string) => string | undefined, help: string) {
  return yup
    .string()
    .defined()
    .test('url', (value, context) => {
      const message = faultOf(value);
      return message === undefined || context.createError({ message });
    })
    .meta({ fallback, help, read: asIs });
}

function optionalPath(help: string) {
  return yup.string().meta({ help, read: asIs });
}

/** A queue's name: printable, at most 255 bytes (AMQP's short string), and not one of the broker's own. */
const QUEUE_NAME = /^(?!amq\.)[\x21-\x7e]{1,250}$/;
const QUEUE_NAME_EXPECTED = '1 to 250 visible ASCII characters, not beginning with amq.';

/** Every variable that Server A reads, in the order of the README. */
export const ENVIRONMENT = yup.object({
  SERVICE_NAME: text('server-a', 'Name of this service in logs, messages and heartbeats'),
  SERVER_A_HOST: text('0.0.0.0', 'Address to listen on'),
  SERVER_A_PORT: integer(8000, 0, 65535, 'Port to listen on; 0 = any free port'),
  REDIS_URL: url('redis://redis:6379/0', faultOfRedisUrl, 'Redis of idempotency records and quota counters'),
  RABBITMQ_URL: url(
    'amqp://guest:guest@rabbitmq:5672/',
    faultOfRabbitMqUrl,
    'RabbitMQ that messages are handed to',
  ),
  PROVIDER_GATE_ENABLED: flag(true, 'Refuse requests for unknown or disabled providers'),
  IDEMPOTENCY_TTL_SECONDS: integer(86_400, 1, 31_536_000, 'Seconds that an answer is replayed to its key'),
  IDEMPOTENCY_MISMATCH: choice(
    'replay',
    ['replay', 'reject'],
    'A used key with another body: replay the first answer and warn, or reject with 400',
  ),
  QUOTA_PREFIX: text('quota', 'First part of the keys of quota counters'),
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
  SHUTDOWN_TIMEOUT_MS: integer(
    10_000,
    100,
    600_000,
    'Milliseconds that a shutdown may take before it is cut short',
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
  CLIENT_CONFIG: 'Clients by API key: {"<api key>":{"name":"…","is_active":true,"daily_quota":1000}}',
  PROVIDERS_CONFIG:
    'Providers by name: {"<name>":{"is_active":true,"is_operational":true,"aliases":["…"],"note":"…"}}',
} as const;

/** Variables that may be given as `<NAME>_FILE` instead: the file's content is the value, one newline at its end aside. */
export const FILE_VARIABLES = ['CLIENT_CONFIG', 'PROVIDERS_CONFIG', 'REDIS_URL', 'RABBITMQ_URL'] as const;

/** The typed values of {@link ENVIRONMENT}. */
export type Environment = yup.InferType<typeof ENVIRONMENT>;
