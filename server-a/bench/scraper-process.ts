/**
 * Scrapers in a process of their own, each asking again as soon as it has its page.
 *
 *     tsx bench/scraper-process.ts <port> <how many> <encoding>
 *
 * They read the bytes into a buffer that they share, and make nothing of them: their CPU is not the gateway's, but on a
 * small machine the senders wait for it. Prints `begun` when each has had a page. Ends at SIGTERM, after printing how many
 * pages came since, and of how many bytes.
 */
import { connect } from 'node:net';

const [port = 0, count = 1] = process.argv.slice(2, 4).map(Number);
const encoding = process.argv[4] ?? 'identity';
const request = `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${encoding}\r\n\r\n`;
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
let pages = 0;
let bytes = 0;

function scrape(): void {
  /** Bytes of the page that are still to come; undefined = its head is. */
  let missing: number | undefined;
  const socket = connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer,
      callback: (length) => {
        let body = length;
        if (missing === undefined) {
          // The head comes with one write, and no page comes before it was asked for.
          const head = buffer.toString('latin1', 0, Math.min(length, 4096));
          const end = head.indexOf('\r\n\r\n') + 4;
          if (!head.startsWith('HTTP/1.1 200 ') || end < 4) throw new Error(`no page: ${head.slice(0, 200)}`);
          missing = Number(/content-length: (\d+)/i.exec(head)?.[1]);
          bytes = missing;
          body -= end;
        }
        missing -= body;
        if (missing > 0) return true;
        missing = undefined;
        pages += 1;
        if (pages === count) process.stdout.write('begun\n');
        socket.write(request);
        return true;
      },
    },
  });
  socket.write(request);
}

process.on('SIGTERM', () => {
  process.stdout.write(`ended ${pages} ${bytes}\n`, () => process.exit(0));
});
for (let n = 0; n < count; n += 1) scrape();
