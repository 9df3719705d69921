/**
 * Scrapers in a process of their own, each asking again as soon as it has its page. Plain JavaScript, so that no loader
 * runs beside them.
 *
 * They end with the channel, and are told by it when to begin, with `{ port, count }`, and answer `begun` when all have had a
 * page; `stop` ends them, and is answered with `{ pages, pageBytes }`: how many came since, and of how many bytes. One
 * process serves a whole benchmark, so that none starts while senders are measured. On a small machine the senders wait
 * for its CPU, and Prometheus is on another: so it has the lowest priority, reads into one buffer and makes nothing of the
 * bytes.
 */
import { connect } from 'node:net';
import { constants, setPriority } from 'node:os';

setPriority(constants.priority.PRIORITY_LOW);

const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';

const buffer = Buffer.allocUnsafeSlow(256 * 1024);
let sockets = [];
let pages = 0;
let pageBytes = 0;

function scrape({ port, count }) {
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
    if (pages === count) process.send('begun');
    socket.write(REQUEST);
    return true;
  };
  const socket = connect({ host: '127.0.0.1', port, onread: { buffer, callback: take } });
  socket.write(REQUEST);
  sockets.push(socket);
}

process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  if (message === 'stop') {
    for (const socket of sockets) socket.destroy();
    process.send({ pages: pages - sockets.length, pageBytes });
    sockets = [];
    return;
  }
  pages = 0;
  for (let n = 0; n < message.count; n += 1) scrape(message);
});
