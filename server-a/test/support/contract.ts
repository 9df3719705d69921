/** Holds every answer that a test receives to the contract with senders. */
import { asObject } from './json.js';
import { escaped, faultsBySchema, lookUp } from './openapi.js';
import { REQUESTS_PATH } from './paths.js';

/** An answer, and what it answers. */
export interface Exchange {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Headers that say something about the outcome: each must be documented where it comes. */
const OURS = [
  'Allow',
  'Cache-Control',
  'Content-Encoding',
  'ETag',
  'Idempotent-Replayed',
  'Idempotency-Mismatch',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Vary',
];

/** @throws Error when the answer is not as documented: its status, its headers, its body */
export function checkAgainstContract(exchange: Exchange): void {
  const { method, path, status, headers, text } = exchange;
  const fail = (what: string): never => {
    throw new Error(
      `not as in openapi.yaml: ${method} ${path} ${status}: ${what}; it was ${text.slice(0, 300)}`,
    );
  };
  const response = responseOf(exchange) ?? fail('no such answer is documented');
  const documented = lookUp(`${response}/headers`);
  for (const name of OURS) {
    const value = headers[name.toLowerCase()];
    const header = documented === undefined ? undefined : lookUp(`${response}/headers/${name}`);
    if (value === undefined) {
      if (header?.value['required'] === true) fail(`${name} is missing`);
    } else if (header === undefined) {
      fail(`${name} is not documented`);
    } else {
      const faults = faultsBySchema(`${header.pointer}/schema`, value);
      if (faults !== '') fail(`${name}: ${value}: ${faults}`);
    }
  }
  if (method === 'HEAD' || lookUp(`${response}/content`) === undefined) {
    if (text !== '') fail('a body is not documented');
    return;
  }
  const mediaType = String(headers['content-type']).split(';')[0] ?? '';
  const content =
    lookUp(`${response}/content/${escaped(mediaType)}/schema`) ??
    fail(`the media type ${mediaType} is not documented`);

  const body: unknown = mediaType === 'application/json' ? JSON.parse(text) : text;
  const faults = faultsBySchema(content.pointer, body);
  if (faults !== '') fail(faults);
}

/** A path as the document writes it: the part that differs from request to request has a name there. */
function documentedPath(path: string): string {
  const isOfKey = path.startsWith(REQUESTS_PATH) && /^[^/]+$/.test(path.slice(REQUESTS_PATH.length));
  return isOfKey ? `${REQUESTS_PATH}{idempotency_key}` : path;
}

/** JSON pointer of the response that documents an answer. */
function responseOf({ method, path, status }: Exchange): string | undefined {
  const known = lookUp(`/paths/${escaped(documentedPath(path.split('?')[0] ?? ''))}`);
  if (known === undefined) return status === 404 ? '/components/responses/NotFound' : undefined;
  const operation = method === 'HEAD' ? 'get' : method.toLowerCase();
  if (!(operation in known.value))
    return status === 405 ? '/components/responses/MethodNotAllowed' : undefined;
  const responses = asObject(asObject(known.value[operation])['responses']);
  return String(status) in responses
    ? lookUp(`${known.pointer}/${operation}/responses/${status}`)?.pointer
    : undefined;
}
