/** The catalogue of what is refused before the layers of the pipeline: bytes that are no request, and heads that none takes. */
import type { IncomingMessage } from 'node:http';
import { isoNow } from '../clock.js';
import { ApiError, invalidPayload, renderError } from '../errors.js';

/** Bytes of all headers of a request together; ours and a proxy's fit several times. */
export const HEADERS_LIMIT_BYTES = 8 * 1024;

/** Why a request or its connection is refused, as the `reason` label. */
export const FAULT_REASONS = [
  'malformed',
  'incomplete',
  'timeout',
  'headers_too_large',
  'host',
  'version',
  'target',
  'connect',
  'shutdown',
] as const;

/** Why a request or its connection is refused. */
export type FaultReason = (typeof FAULT_REASONS)[number];

/** What is refused, and how. */
export interface Fault {
  readonly reason: FaultReason;
  readonly status: 400 | 405 | 408 | 431;
  /** What would be right. */
  readonly message: string;
}

/** Every refusal, by its reason. */
export const FAULTS: Readonly<Record<FaultReason, Fault>> = {
  malformed: { reason: 'malformed', status: 400, message: 'must be an HTTP/1.1 request' },
  incomplete: { reason: 'incomplete', status: 400, message: 'must be complete' },
  timeout: { reason: 'timeout', status: 408, message: 'must be complete in time' },
  headers_too_large: {
    reason: 'headers_too_large',
    status: 431,
    message: `must have headers of at most ${HEADERS_LIMIT_BYTES} bytes`,
  },
  host: { reason: 'host', status: 400, message: 'must have one Host header' },
  version: { reason: 'version', status: 400, message: 'must be of HTTP/1.1 or HTTP/1.0' },
  target: { reason: 'target', status: 400, message: 'must have a path, or an http URL, as its target' },
  connect: { reason: 'connect', status: 405, message: 'must not be a CONNECT' },
  shutdown: { reason: 'shutdown', status: 408, message: 'must be complete before the gateway ends' },
};

const OF_PARSER = new Map<string, Fault>([
  ['HPE_HEADER_OVERFLOW', FAULTS.headers_too_large],
  ['ERR_HTTP_REQUEST_TIMEOUT', FAULTS.timeout],
  ['HPE_INVALID_EOF_STATE', FAULTS.incomplete],
]);

/** Returns what an error of Node's HTTP server means; undefined = the connection itself broke. */
export function faultOfError({ code = '' }: NodeJS.ErrnoException): Fault | undefined {
  return OF_PARSER.get(code) ?? (code.startsWith('HPE_') ? FAULTS.malformed : undefined);
}

/** The method of HTTP/2's preface, which is none. */
export const PREFACE_METHOD = 'PRI';

/** Returns what is wrong with a request's method, version or Host header (RFC 9112, 2.3 and 3.2). */
export function faultOfHead({ method, httpVersion, rawHeaders }: IncomingMessage): Fault | undefined {
  if (method === PREFACE_METHOD) return FAULTS.malformed;
  if (httpVersion !== '1.1') return httpVersion === '1.0' ? undefined : FAULTS.version;
  let hosts = 0;
  // Names and values in turn, as they came: `headers` has but the first of several.
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts === 1 ? undefined : FAULTS.host;
}

/** Headers of an answer to a fault; the connection is closed after it. */
export function faultHeaders({ status }: Fault, body: string): Readonly<Record<string, string>> {
  return {
    ...(status === 405 && { Allow: 'GET, HEAD, POST' }),
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  };
}

/** Body of an answer to a fault. */
export function faultBody({ status, message }: Fault): string {
  const error =
    status === 405
      ? new ApiError('METHOD_NOT_ALLOWED')
      : invalidPayload([{ field: 'request', message }], status);
  return renderError(error, undefined, isoNow());
}
