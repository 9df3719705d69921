/**
 * Scrapers in a process of their own, each asking again as soon as it has its page.
 *
 *     node bench/scraper-process.mjs <port> <how many> <encoding that they accept>
 *
 * They read into one buffer and make nothing of the bytes: on a small machine the senders wait for their CPU. Plain
 * JavaScript, so that no loader runs beside them. Prints `begun` when all have had a page; ends at SIGTERM, after printing
 * how many pages were given since, and of how many bytes.
 */
import { connect } from 'node:net';

const [port, count] = process.argv.slice(2, 4).map(Number);
const request = `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${process.argv[4]}\r\n\r\n`;
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
let pages = 0;
let pageBytes = 0;

function scrape() {
  /** Bytes of the page that are still to come; undefined = its head is. */
  let missing;
  const take = (length) => {
    let body = length;
    if (missing === undefined) {
      const head = buffer.toString('latin1', 0, Math.min(length, 4096));
      const end = head.indexOf('\r\n\r\n');
      pageBytes = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      // The head comes with one write, and nothing comes unasked.
      if (!head.startsWith('HTTP/1.1 200 ') || end < 0 || !(pageBytes > 0)) throw new Error(head);
      missing = pageBytes;
      body -= end + 4;
    }
    missing -= body;
    if (missing > 0) return true;
    missing = undefined;
    pages += 1;
    if (pages === count) process.stdout.write('begun\n');
    socket.write(request);
    return true;
  };
  const socket = connect({ host: '127.0.0.1', port, onread: { buffer, callback: take } });
  socket.write(request);
}

process.on('SIGTERM', () => {
  process.stdout.write(`ended ${pages - count} ${pageBytes}\n`, () => process.exit(0));
});
for (let n = 0; n < count; n += 1) scrape();
