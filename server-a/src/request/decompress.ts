/** Decompresses a body that is here in whole, within a bound. */
import { type BrotliOptions, brotliDecompress, gunzipSync, inflateSync } from 'node:zlib';
import { internalError } from '../errors.js';

/** Why there are no bytes: more than the bound, or not of this coding, cut short, or followed by anything else. */
export type NoBytes = 'too_large' | 'corrupt';

type Decompress = (bytes: Buffer, limitBytes: number) => Buffer | NoBytes | Promise<Buffer | NoBytes>;

/**
 * How each content coding is undone, by its name. All of them are zlib's functions for a whole text: each owns its
 * decompressor from start to end, so there is no stream whose error could come when nobody listens any more.
 *
 * gzip and deflate hand out what they have every 32 KiB, so the bound stops them at once: they take less time here than
 * on another thread. Brotli first fills a window that its sender chooses, of up to 16 MiB: 53 bytes took 31 ms and 16 MB.
 * So it runs on another thread, one body at a time.
 */
const DECOMPRESSORS = {
  gzip: (bytes, limitBytes) => atOnce(gunzipSync, bytes, limitBytes),
  'x-gzip': (bytes, limitBytes) => atOnce(gunzipSync, bytes, limitBytes),
  deflate: (bytes, limitBytes) => atOnce(inflateSync, bytes, limitBytes),
  br: oneAtATime,
} satisfies Record<string, Decompress>;

/** A content coding other than identity that bodies may come in. */
export type ContentCoding = keyof typeof DECOMPRESSORS;

/** True for the name (lower case) of a coding that {@link decompress} knows. */
export function isContentCoding(coding: string): coding is ContentCoding {
  return Object.hasOwn(DECOMPRESSORS, coding);
}

/**
 * Returns the decompressed bytes, or why there are none.
 *
 * @param limitBytes the most that they may be
 * @throws {ApiError} INTERNAL_ERROR when too many bodies wait for their turn
 */
export function decompress(
  bytes: Buffer,
  coding: ContentCoding,
  limitBytes: number,
): Buffer | NoBytes | Promise<Buffer | NoBytes> {
  return DECOMPRESSORS[coding](bytes, limitBytes);
}

function atOnce(
  decompressSync: (bytes: Buffer, options: object) => unknown,
  bytes: Buffer,
  limitBytes: number,
): Buffer | NoBytes {
  try {
    return wholeResult(decompressSync(bytes, { maxOutputLength: limitBytes, info: true }), bytes.length);
  } catch (error) {
    return faultOf(error);
  }
}

/** Brotli bodies that may wait for their turn: the worst of them take 2 s together. */
const MAX_WAITING = 64;
let waiting = 0;
let lastInLine: Promise<unknown> = Promise.resolve();

function oneAtATime(bytes: Buffer, limitBytes: number): Promise<Buffer | NoBytes> {
  if (waiting >= MAX_WAITING) {
    throw internalError('unknown', new Error(`${MAX_WAITING} brotli bodies wait to be decompressed`));
  }
  waiting += 1;
  const turn = lastInLine.then(() => unbrotli(bytes, limitBytes));
  lastInLine = turn;
  return turn;
}

/** Never rejects: who is next in line waits for it. */
function unbrotli(bytes: Buffer, limitBytes: number): Promise<Buffer | NoBytes> {
  return new Promise((resolve) => {
    const done = (error: Error | null, result: unknown): void => {
      waiting -= 1;
      resolve(error === null ? wholeResult(result, bytes.length) : faultOf(error));
    };
    const options: BrotliOptions & { readonly info: true } = { maxOutputLength: limitBytes, info: true };
    brotliDecompress(bytes, options, done);
  });
}

function faultOf(error: unknown): NoBytes {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    ? 'too_large'
    : 'corrupt';
}

/** The bytes of a decompressor's result, if it has read all that it was given. */
function wholeResult(result: unknown, given: number): Buffer | NoBytes {
  // With `info` the result is { buffer, engine }, which the types of Node do not say.
  const { buffer, engine }: { buffer?: unknown; engine?: { bytesWritten?: unknown } } = Object(result);
  return Buffer.isBuffer(buffer) && engine?.bytesWritten === given ? buffer : 'corrupt';
}
