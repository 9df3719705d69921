/**
 * A page as the bytes that are sent. With tens of thousands of series a page has megabytes. V8 counts bytes of buffers, and
 * collects the whole heap after each 64 MB of them; so a page is written into the buffers of an earlier one.
 *
 * Not compressed: that takes eight times the CPU of a plain page, and garbage that had the whole heap collected oftener, from
 * requests that wait meanwhile (docs/performance.md). What it would save is bytes within the company's network.
 */

/** One page, for all who asked for it. */
export interface Page {
  /** Each is sent in a turn of the event loop of its own. */
  readonly pieces: readonly Buffer[];
  /** How many are being sent it: see {@link countReader}. */
  readers: number;
}

/** A page, and the buffers that its pieces lie in. */
interface RoomyPage extends Page {
  pieces: Buffer[];
  readonly rooms: Buffer[];
}

/** Makes pages, each in the buffers of an earlier one that nobody is sent any more. */
export class Pages {
  /** Those that are being sent, and one more at the most. */
  #pages: RoomyPage[] = [];

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
