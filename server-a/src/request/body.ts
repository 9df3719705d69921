/** Reads a request's body: its media type, its size, its bytes. */
import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { type ApiError, invalidPayload } from '../errors.js';
import { type ContentCoding, decompress, isContentCoding } from './decompress.js';
import type { Context } from './state.js';

/** Bytes of a body, at the most, as it comes and decompressed: the largest valid one, 1000 emoji as escapes, has some 12 kB. */
export const BODY_LIMIT_BYTES = 32 * 1024;
/** Bytes of a batch's body: 100 messages of 1000 characters of three bytes, and of as many emoji as they come. */
export const BATCH_BODY_LIMIT_BYTES = 512 * 1024;

const MEDIA_TYPE = /^application\/json\s*(?:;|$)/i;

/**
 * The parser reads JSON as "text" without an encoding, which leaves it the bytes: so what is not UTF-8 can be told from
 * what is. (Read as UTF-8, a wrong byte would become U+FFFD, like an honest one.)
 */
function bytesParser(limitBytes: number): Middleware {
  const options: bodyParser.Options & { readonly encoding: null } = {
    enableTypes: ['text'],
    extendTypes: { text: ['application/json'] },
    encoding: null,
    textLimit: `${limitBytes}b`,
  };
  return bodyParser(options);
}
const parsers = new Map<number, Middleware>();

function bytesParserFor(limitBytes: number): Middleware {
  const parser = parsers.get(limitBytes) ?? bytesParser(limitBytes);
  parsers.set(limitBytes, parser);
  return parser;
}

const NO_BYTES = Buffer.alloc(0);
const DONE = Promise.resolve();
const nothing = (): Promise<void> => DONE;

/** Why a body that has begun will not come in whole; what its sender is told. */
export interface Interruption {
  readonly status: number;
  readonly message: string;
}

const interruptions = new WeakMap<IncomingMessage, Interruption>();

/** The cause of an INVALID_PAYLOAD that nobody will read: the connection broke before the body was here. */
export class SenderGone extends Error {
  override readonly name = 'SenderGone';
}

/**
 * Ends the reading of a body that will not come in whole, though its connection still stands: {@link readBody} throws what
 * is told here, now or when it is asked. Has no effect on a request whose body nobody reads.
 */
export function interruptBody(req: IncomingMessage, interruption: Interruption): void {
  interruptions.set(req, interruption);
  // What the parser listens to. Node says the same when the connection is gone.
  req.emit('aborted');
}

/**
 * Returns the body's bytes, decompressed. Call it once for a request.
 *
 * @param limitBytes the most that they may be, as they come and decompressed
 * @throws {ApiError} INVALID_PAYLOAD: 415 for another media type or content encoding, 413 over the limit, 400 for a
 * body that ends early or cannot be decompressed, 408 for one that does not come in time. Its cause is
 * {@link SenderGone} where the connection broke
 */
export function readBody(ctx: Context, limitBytes: number): Promise<Buffer> {
  const { headers } = ctx.req;
  if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) {
    throw invalidPayload([{ field: 'Content-Type', message: 'must be application/json' }], 415);
  }
  const coding = (headers['content-encoding'] || 'identity').toLowerCase();
  if (coding !== 'identity' && !isContentCoding(coding)) {
    const message = 'must be identity, gzip, deflate or br';
    throw invalidPayload([{ field: 'Content-Encoding', message }], 415);
  }
  if (Number(headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const asItCame =
    headers['transfer-encoding'] === undefined ? readOfKnownLength(ctx) : readByParser(ctx, limitBytes);
  return coding === 'identity' ? asItCame : asItCame.then((bytes) => undoCoding(bytes, coding, limitBytes));
}

/**
 * Reads a body whose length is known, and within the limit; Node's parser of HTTP keeps to it. Nearly all bodies are such,
 * and the body parser's way (five async functions, its options copied, their limit read anew) costs more than a layer.
 */
function readOfKnownLength(ctx: Context): Promise<Buffer> {
  const { req } = ctx;
  return new Promise((resolve, reject) => {
    if (req.destroyed || interruptions.has(req)) {
      reject(incomplete(req));
      return;
    }
    let first: Buffer = NO_BYTES;
    let rest: Buffer[] | undefined;
    req.on('data', (chunk: Buffer) => {
      if (first === NO_BYTES) first = chunk;
      else {
        rest ??= [];
        rest.push(chunk);
      }
    });
    req.on('end', () => resolve(rest === undefined ? first : Buffer.concat([first, ...rest])));
    req.on('aborted', () => reject(incomplete(req)));
  });
}

async function undoCoding(asItCame: Buffer, coding: ContentCoding, limitBytes: number): Promise<Buffer> {
  const bytes = await decompress(asItCame, coding, limitBytes);
  if (bytes === 'too_large') throw tooLarge(limitBytes);
  if (bytes === 'corrupt') throw invalidPayload([{ field: 'body', message: 'cannot be decompressed' }]);
  return bytes;
}

/** Reads a body that comes in chunks, up to the limit. */
async function readByParser(ctx: Context, limitBytes: number): Promise<Buffer> {
  const { req } = ctx;
  if (req.destroyed || interruptions.has(req)) throw incomplete(req);
  // The parser gets the bytes as they came, and of a type that it knows: what it would decompress itself, it would
  // decompress as a stream, and an error of that stream behind the limit (a body cut short) would reach nobody and end
  // the process.
  req.headers['content-encoding'] = 'identity';
  req.headers['content-type'] = 'application/json';
  try {
    await bytesParserFor(limitBytes)(ctx, nothing);
  } catch (error) {
    const status = error instanceof Error && 'status' in error ? error.status : undefined;
    if (status === 413) throw tooLarge(limitBytes);
    if (status === 400 || req.destroyed) throw incomplete(req);
    throw error;
  }
  // The parser's types know texts only.
  const rawBody: unknown = ctx.request.rawBody;
  return Buffer.isBuffer(rawBody) ? rawBody : NO_BYTES;
}

function tooLarge(limitBytes: number): ApiError {
  return invalidPayload([{ field: 'body', message: `must have at most ${limitBytes} bytes` }], 413);
}

function incomplete(req: IncomingMessage): ApiError {
  const interruption = interruptions.get(req);
  if (interruption === undefined) {
    return invalidPayload([{ field: 'body', message: 'must be complete' }], 400, new SenderGone());
  }
  return invalidPayload([{ field: 'body', message: interruption.message }], interruption.status);
}
