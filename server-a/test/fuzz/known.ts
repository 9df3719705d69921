/** Requests whose answer is known beforehand: what comes beside them must not change it. */
import { gzipSync } from 'node:zlib';
import { BATCH_PATH, REQUESTS_PATH, SEND_PATH } from '../support/paths.js';
import type { Keys } from './grammar-head.js';
import { halfValidBatch, validBody } from './grammar-json.js';
import type { Random } from './random.js';

/** One thing to write, and what must come back. */
export interface Input {
  readonly bytes: Buffer;
  /** Status that must come back for it; undefined = anything that is documented, or nothing. */
  readonly status?: number;
  /** Text of the message that must be sent once; only with status 202 and 207. */
  readonly text?: string;
}

/** A send request in full. */
function sending(key: string, body: Buffer, more: readonly string[] = [], target = SEND_PATH): Buffer {
  const lines = [
    `POST ${target} HTTP/1.1`,
    'Host: x',
    `API-Key: ${key}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...more,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}

const getting = (path: string, method = 'GET', apiKey?: string): Buffer =>
  Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: x\r\n${apiKey === undefined ? '' : `API-Key: ${apiKey}\r\n`}\r\n`,
  );

/** The request that a connection which is kept must answer at once: its 400 names `id`. */
export function probe(keys: Keys, id: string): Buffer {
  return sending(keys.active, Buffer.from(`{"to":"+989121234567","text":"x","${id}":1}`));
}

/** A request whose answer is known. @param id no other request's */
export function knownInput(random: Random, keys: Keys, id: string): Input {
  const text = `fuzzed ${id}`;
  const valid = validBody(text);
  return random.pick<() => Input>([
    () => ({ bytes: sending(keys.active, valid), status: 202, text }),
    () => ({ bytes: sending(keys.active, valid, [`Idempotency-Key: ${id}`]), status: 202, text }),
    () => ({ bytes: sending(keys.active, gzipSync(valid), ['Content-Encoding: gzip']), status: 202, text }),
    () => ({
      bytes: sending(keys.active, halfValidBatch(text, id), [], BATCH_PATH),
      status: 207,
      text,
    }),
    () => ({ bytes: sending(keys.active, valid, [], BATCH_PATH), status: 400 }),
    () => ({ bytes: sending(keys.active, Buffer.from('{}')), status: 400 }),
    () => ({ bytes: sending(keys.active, Buffer.from('{'), [`Idempotency-Key: ${id}`]), status: 400 }),
    () => ({ bytes: sending('nobody', valid), status: 401 }),
    () => ({ bytes: sending(keys.inactive, valid, [`Idempotency-Key: ${id}`]), status: 401 }),
    () => ({ bytes: sending(keys.active, Buffer.alloc(40_000, 'x')), status: 413 }),
    () => ({ bytes: sending(keys.active, valid, ['Content-Encoding: zstd']), status: 415 }),
    () => ({ bytes: getting('/healthz'), status: 200 }),
    () => ({ bytes: getting(`/${id}`), status: 404 }),
    () => ({ bytes: getting(`${REQUESTS_PATH}${id}`), status: 401 }),
    () => ({ bytes: getting(`${REQUESTS_PATH}${id}`, 'GET', keys.active), status: 404 }),
    () => ({ bytes: getting(`${REQUESTS_PATH}%20${id}`, 'GET', keys.active), status: 400 }),
    () => ({ bytes: getting(SEND_PATH, 'DELETE'), status: 405 }),
    () => ({ bytes: getting(`http://gateway/${id}`), status: 404 }),
  ])();
}
