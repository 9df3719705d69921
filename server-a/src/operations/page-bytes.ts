/**
 * A page as the bytes that are sent, plain or compressed. With tens of thousands of series a page has megabytes. V8 counts
 * bytes of buffers, and collects the whole heap after each 64 MB of them; so nothing of that size is allocated for a page.
 */
import { constants, crc32, deflateRawSync } from 'node:zlib';

/** One page, for all who asked for it. */
export interface Page {
  readonly pieces: readonly Buffer[];
  /** How many are being sent it: see {@link countReader}. */
  readers: number;
}

/**
 * The fastest level of zlib; and each part is compressed by itself, to whole blocks that end at a byte. At once: a part takes
 * 50 µs, and a thread of libuv's pool would take a core away for milliseconds from the requests of a gateway that has no other.
 * A compressor of this size is 64 kB and not zlib's usual 256: a page has hundreds, one after the other.
 */
const DEFLATE = {
  level: 1,
  windowBits: 13,
  memLevel: 6,
  chunkSize: 4096,
  finishFlush: constants.Z_SYNC_FLUSH,
} as const;

/** Head of a gzip file (RFC 1952): without a name, a time and a system. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty block of Deflate that says that it is the last one. */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);

/** Bytes that are sent to a scraper in one turn of the event loop. */
const PIECE_BYTES = 16 * 1024;

/** Makes compressed pages. */
export class GzipPages {
  /** Where each text is written before it is compressed. */
  #room: Buffer | undefined;

  /** Returns the next page, as one gzip file. Call it when an earlier call is done. */
  async make(texts: AsyncIterable<string>): Promise<Page> {
    const parts = [GZIP_HEAD];
    let checksum = 0;
    let bytes = 0;
    for await (const text of texts) {
      const { piece, roomOfPiece } = bytesOf(text, this.#room);
      this.#room = roomOfPiece;
      checksum = crc32(piece, checksum);
      bytes += piece.length;
      parts.push(deflateRawSync(piece, DEFLATE));
    }
    return {
      pieces: inPieces(Buffer.concat([...parts, LAST_BLOCK, endOfFile(checksum, bytes)])),
      readers: 0,
    };
  }
}

/** Returns the tail of a gzip file. */
function endOfFile(checksum: number, bytes: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(checksum, 0);
  // By the format only the lower 32 bits of the length.
  tail.writeUInt32LE(bytes % 2 ** 32, 4);
  return tail;
}

function inPieces(file: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < file.length; at += PIECE_BYTES) pieces.push(file.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** A plain page, and the buffers that its pieces lie in. */
interface PlainPage extends Page {
  pieces: Buffer[];
  readonly rooms: Buffer[];
}

/** Makes plain pages, each in the buffers of an earlier one that nobody is sent any more. */
export class PlainPages {
  /** Those that are being sent, and one more at the most. */
  #pages: PlainPage[] = [];

  /**
   * Returns the next page. Call it when an earlier call is done and all who asked for that page have counted themselves
   * as its readers: what has none is overwritten.
   */
  async make(texts: AsyncIterable<string>): Promise<Page> {
    const free = this.#pages.find(({ readers }) => readers === 0);
    const page = free ?? { pieces: [], rooms: [], readers: 0 };
    this.#pages = [...this.#pages.filter(({ readers }) => readers > 0), page];
    page.pieces = [];
    for await (const text of texts) {
      const { piece, roomOfPiece } = bytesOf(text, page.rooms[page.pieces.length]);
      page.rooms[page.pieces.length] = roomOfPiece;
      page.pieces.push(piece);
    }
    page.rooms.length = page.pieces.length;
    return page;
  }
}

/** Counts an answer as a reader of the page until it is closed; breaks it off after a time, milliseconds. */
export function countReader(
  page: Page,
  res: { once(event: 'close', listener: () => void): unknown; destroy(): unknown },
  limitMs: number,
): void {
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(limit);
    page.readers -= 1;
  };
  page.readers += 1;
  res.once('close', end);
  const limit = setTimeout(() => {
    // Node closes no answer that waits behind another one of its connection; so it is not left to `close` alone.
    res.destroy();
    end();
  }, limitMs);
  // The connection keeps the process alive while there is somebody to send to.
  limit.unref();
}

/** Buffers have multiples of so many bytes: a text whose numbers have a digit more fits where it stood. */
const ROOM_STEP_BYTES = 4096;

/** Writes a text into a buffer; if it is too small, or there is none, into a new one. */
function bytesOf(text: string, room: Buffer | undefined): { piece: Buffer; roomOfPiece: Buffer } {
  const bytes = Buffer.byteLength(text);
  const roomOfPiece =
    room !== undefined && room.length >= bytes
      ? room
      : Buffer.allocUnsafeSlow(Math.ceil(bytes / ROOM_STEP_BYTES) * ROOM_STEP_BYTES);
  roomOfPiece.write(text);
  return { piece: roomOfPiece.subarray(0, bytes), roomOfPiece };
}
