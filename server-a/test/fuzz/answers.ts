/** Reads answers as a strict client does, and holds each to the documented shape. */
import { ERRORS } from '../../src/errors.js';
import { asObject, type JsonObject } from '../support/json.js';

/** One answer. */
export interface FuzzAnswer {
  readonly status: number;
  /** JSON body of a send request's answer or of a refusal; undefined for other bodies. */
  readonly json: JsonObject | undefined;
  /** It says that the connection is closed behind it. */
  readonly last: boolean;
}

const HEAD = /^HTTP\/1\.1 (\d{3}) [A-Za-z -]+\r\n((?:[A-Za-z-]+: [\x20-\x7e]*\r\n)*)\r\n/;
const NARROWED: Readonly<Record<number, string>> = {
  408: 'INVALID_PAYLOAD',
  413: 'INVALID_PAYLOAD',
  415: 'INVALID_PAYLOAD',
  431: 'INVALID_PAYLOAD',
};

/** Statuses that may come with each error code. */
const CODES = new Map<unknown, readonly number[]>(
  Object.entries(ERRORS).map(([code, { status }]) => [
    code,
    [
      status,
      ...Object.keys(NARROWED)
        .map(Number)
        .filter((narrow) => NARROWED[narrow] === code),
    ],
  ]),
);

/**
 * Cuts what a connection received into answers; `rest` is what is left of one that is not whole.
 *
 * @param heads whether HEAD may have been asked for: then an answer may end with its head
 */
export function readAnswers(
  received: string,
  heads: boolean,
): { readonly answers: readonly FuzzAnswer[]; readonly rest: string } {
  const answers: FuzzAnswer[] = [];
  let rest = received;
  while (rest !== '') {
    if (rest.startsWith('HTTP/1.1 100 Continue\r\n\r\n')) {
      rest = rest.slice(25);
      continue;
    }
    const match = HEAD.exec(rest);
    if (match === null) break;
    const [head, status = '', lines = ''] = match;
    const fields = new Map(
      lines
        .split('\r\n')
        .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );
    const type = fields.get('content-type') ?? '';
    const declared = Number(fields.get('content-length') ?? '0');
    const behind = rest.slice(head.length);
    // To HEAD the length is that of what GET would get. No body begins as an answer does.
    const length = heads && (behind === '' || behind.startsWith('HTTP/1.1 ')) ? 0 : declared;
    if (behind.length < length) break;
    answers.push(check(Number(status), type, behind.slice(0, length), fields));
    rest = behind.slice(length);
  }
  return { answers, rest };
}

function check(status: number, type: string, body: string, fields: ReadonlyMap<string, string>): FuzzAnswer {
  const last = fields.get('connection') === 'close';
  const fail = (what: string): never => {
    throw new Error(`${what}: ${status} ${type} ${body.slice(0, 300)}`);
  };
  if (status >= 500) fail('a server error');
  if (body === '') {
    // To HEAD and OPTIONS, and 304.
    return { status, json: undefined, last };
  }
  if (!type.startsWith('application/json')) {
    if (status !== 200) fail('neither JSON nor a page');
    return { status, json: undefined, last };
  }
  const parsed: unknown = JSON.parse(Buffer.from(body, 'latin1').toString('utf8'));
  const json = asObject(parsed);
  if (status === 207) {
    const { results } = json;
    const statuses = Array.isArray(results)
      ? results.map((result) => Number(asObject(result)['status']))
      : [];
    if (statuses.length === 0 || statuses.some((of) => !(of >= 200 && of < 500))) fail('an item of a batch');
  }
  if (status < 400) return { status, json, last };
  if (CODES.get(json['error_code'])?.includes(status) !== true)
    fail('a code that does not go with its status');
  if (typeof json['message'] !== 'string' || typeof json['timestamp'] !== 'string') fail('no error body');
  if (body.length > 16 * 1024) fail('a refusal of more than 16 KiB');
  if (json['error_code'] === 'INVALID_PAYLOAD') {
    const { errors } = asObject(json['details']);
    if (!Array.isArray(errors) || errors.length === 0 || errors.length > 20) fail('no faults, or too many');
  }
  return { status, json, last };
}
