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

/** Bytes of a buffer, and of a piece. Each piece that is sent leaves garbage of its own, so they are not smaller. */
const ROOM_BYTES = 64 * 1024;

/** A page, and the buffers that its pieces lie in, one in each. */
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
    let room = NO_ROOM;
    let used = 0;
    for await (const text of texts) {
      const bytes = Buffer.byteLength(text);
      if (used + bytes > room.length) {
        if (used > 0) page.pieces.push(room.subarray(0, used));
        room = roomFor(page, bytes);
        used = 0;
      }
      used += room.write(text, used);
    }
    if (used > 0) page.pieces.push(room.subarray(0, used));
    page.rooms.length = page.pieces.length;
    return page;
  }
}

const NO_ROOM: Buffer = Buffer.alloc(0);

/** Returns where the page's next piece goes, which begins with a text of so many bytes. */
function roomFor({ pieces, rooms }: RoomyPage, bytes: number): Buffer {
  const known = rooms[pieces.length];
  if (known !== undefined && known.length >= bytes) return known;
  const room = Buffer.allocUnsafeSlow(Math.ceil(bytes / ROOM_BYTES) * ROOM_BYTES);
  rooms[pieces.length] = room;
  return room;
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
