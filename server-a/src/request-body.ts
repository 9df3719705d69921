/** Reads a request's body: its media type, its size, its bytes. */
import bodyParser from 'koa-bodyparser';
import { invalidPayload } from './errors.js';
import type { Context } from './request-state.js';

/** Bytes of a body, at the most: the largest valid one, 1000 emoji as escapes, has some 12 kB. */
export const BODY_LIMIT_BYTES = 32 * 1024;

const MEDIA_TYPE = /^application\/json\s*(?:;|$)/i;

/**
 * The parser reads JSON as "text" without an encoding, which leaves it the bytes: so what is not UTF-8 can be told from
 * what is. (Read as UTF-8, a wrong byte would become U+FFFD, like an honest one.)
 */
const bytesOptions: bodyParser.Options & { readonly encoding: null } = {
  enableTypes: ['text'],
  extendTypes: { text: ['application/json'] },
  encoding: null,
  textLimit: `${BODY_LIMIT_BYTES}b`,
};
const readBytes = bodyParser(bytesOptions);

const NO_BYTES = Buffer.alloc(0);
const DONE = Promise.resolve();
const nothing = (): Promise<void> => DONE;

/**
 * Returns the body's bytes; reads them once.
 *
 * @throws {ApiError} INVALID_PAYLOAD: 415 for another media type or content encoding, 413 over the limit, 400 for a
 * body that ends early
 */
export async function readBody(ctx: Context): Promise<Buffer> {
  const known = ctx.state.rawBody;
  if (known !== undefined) return known;
  if (!MEDIA_TYPE.test(ctx.get('content-type'))) {
    throw invalidPayload([{ field: 'Content-Type', message: 'must be application/json' }], 415);
  }
  try {
    await readBytes(ctx, nothing);
  } catch (error) {
    throw unreadable(error);
  }
  // The parser's types know texts only.
  const rawBody: unknown = ctx.request.rawBody;
  const bytes = Buffer.isBuffer(rawBody) ? rawBody : NO_BYTES;
  ctx.state.rawBody = bytes;
  return bytes;
}

/** A sender's fault becomes an INVALID_PAYLOAD; anything else stays what it is. */
function unreadable(error: unknown): unknown {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 413) {
    return invalidPayload([{ field: 'body', message: `must have at most ${BODY_LIMIT_BYTES} bytes` }], 413);
  }
  if (status === 415) {
    return invalidPayload(
      [{ field: 'Content-Encoding', message: 'must be identity, gzip, deflate or br' }],
      415,
    );
  }
  if (status === 400)
    return invalidPayload([{ field: 'body', message: 'must be as long as Content-Length says' }]);
  // A broken compressed stream: zlib's errors have a code and no status.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('Z_') || code.startsWith('ERR_')) {
    return invalidPayload([{ field: 'body', message: 'cannot be decompressed' }]);
  }
  return error;
}
