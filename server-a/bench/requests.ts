/** The requests that are measured. */

/** API key of a client whose quota is never used up, and of one whose quota is 0. */
export const API_KEYS = { plenty: 'bench_api_key_000001', none: 'bench_api_key_000002' } as const;

/** Configuration of the gateways that are measured: production defaults, and the two clients. */
export const CONFIGURATION = {
  CLIENT_CONFIG: JSON.stringify({
    [API_KEYS.plenty]: { name: 'Bench', is_active: true, daily_quota: 1_000_000_000 },
    [API_KEYS.none]: { name: 'Empty', is_active: true, daily_quota: 0 },
  }),
  PROVIDERS_CONFIG: JSON.stringify({
    'Provider-A': { is_active: true, is_operational: true, aliases: ['a'] },
    'Provider-B': { is_active: false, is_operational: true },
  }),
} as const;

/** A kind of request, and the status that it must be answered with. */
export interface RequestKind {
  readonly name: string;
  readonly status: number;
  /** @param run a word that no other run has, so that keys are unique */
  readonly request: (run: string) => (n: number) => string;
}

const MESSAGE = { to: '+989121234567', text: 'Your one-time code is 123456. It is valid for five minutes.' };

function post(body: unknown, headers: Readonly<Record<string, string>>): string {
  const payload = JSON.stringify(body);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /api/v1/sms/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`;
}

/** A request that is the same every time. */
function constant(body: unknown, headers: Readonly<Record<string, string>>): RequestKind['request'] {
  const text = post(body, headers);
  return () => () => text;
}

/** A request with a key of its own each time. */
function keyed(body: unknown, apiKey: string): RequestKind['request'] {
  return (run) => {
    const [before = '', after = ''] = post(body, { 'API-Key': apiKey, 'Idempotency-Key': '\u0000' }).split(
      '\u0000',
    );
    return (n) => `${before}${run}-${n}${after}`;
  };
}

const plenty = { 'API-Key': API_KEYS.plenty };

export const KEYED: RequestKind = {
  name: 'accepted, keyed',
  status: 202,
  request: keyed(MESSAGE, API_KEYS.plenty),
};
export const UNKEYED: RequestKind = {
  name: 'accepted, unkeyed',
  status: 202,
  request: constant(MESSAGE, plenty),
};

/**
 * Says in each request when it was written: nanoseconds by the clock that all processes of a machine share.
 *
 * @param warmUpMs milliseconds at the beginning of a run whose requests do not say it
 */
export function stamped(kind: RequestKind, warmUpMs: number): RequestKind {
  return {
    ...kind,
    request: (run) => {
      const next = kind.request(run);
      const from = performance.now() + warmUpMs;
      return (n) =>
        performance.now() < from
          ? next(n)
          : next(n).replace('\r\n', `\r\nX-Sent-At: ${process.hrtime.bigint()}\r\n`);
    },
  };
}

/** Keys that are asked for in turn, so that no two of them wait at once; the first time, each is accepted. */
const REPLAYED_KEYS = 256;

/** Requests that must cost less than an accepted one. */
export const CHEAPER: readonly RequestKind[] = [
  {
    name: 'replayed (202)',
    status: 202,
    request: (run) => {
      const next = keyed(MESSAGE, API_KEYS.plenty)(run);
      return (n) => next(n % REPLAYED_KEYS);
    },
  },
  { name: 'refused 401', status: 401, request: constant(MESSAGE, { 'API-Key': 'nobody' }) },
  { name: 'refused 400', status: 400, request: constant({ ...MESSAGE, to: '12' }, plenty) },
  { name: 'refused 422', status: 422, request: constant({ ...MESSAGE, providers: ['nobody'] }, plenty) },
  { name: 'refused 409', status: 409, request: constant({ ...MESSAGE, providers: ['Provider-B'] }, plenty) },
  { name: 'refused 429', status: 429, request: constant(MESSAGE, { 'API-Key': API_KEYS.none }) },
];

/** Sizes of the batches that are measured. */
export const BATCH_SIZES = [1, 10, 100] as const;

/** Characters of a key in a batch, so that a body's length is always the same. */
const KEY_LENGTH = 36;

/** A batch of this many messages, each with a key of its own each time. */
export function batchKind(size: number): RequestKind {
  const messages = Array.from({ length: size }, () => ({
    idempotency_key: '\u0001'.repeat(KEY_LENGTH),
    ...MESSAGE,
  }));
  // Written as six characters each by JSON, which the length of the body must not count.
  const mark = JSON.stringify('\u0001'.repeat(KEY_LENGTH)).slice(1, -1);
  const payload = JSON.stringify({ messages }).replaceAll(mark, '\u0001'.repeat(KEY_LENGTH));
  const head = `POST /api/v1/sms/send-batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAPI-Key: ${API_KEYS.plenty}\r\nContent-Length: ${Buffer.byteLength(payload)}\r\n\r\n`;
  const parts = `${head}${payload}`.split('\u0001'.repeat(KEY_LENGTH));
  return {
    name: `accepted, in batches of ${size}`,
    status: 207,
    request: (run) => (n) =>
      parts.reduce((text, part, item) => `${text}${`${run}-${n}-${item}`.padEnd(KEY_LENGTH, '-')}${part}`),
  };
}
