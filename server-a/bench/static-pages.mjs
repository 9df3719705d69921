/**
 * Serves pages as large as the gateway's, and as often, out of a process that has nothing else to do: what scraping costs
 * the senders on the same machine when no gateway is scraped. It has the lowest priority, as the scrapers do.
 *
 * Its arguments are the bytes of a page and the milliseconds between two. It sends its port over the channel, and ends with
 * the channel: a benchmark that is killed leaves nothing behind.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';

setPriority(constants.priority.PRIORITY_LOW);

/** Sent in one turn of the event loop, as the gateway does. */
const PIECE_BYTES = 64 * 1024;

const [bytes, pauseMs] = process.argv.slice(2).map(Number);
const page = Buffer.alloc(bytes, 'x');
let waiting = [];

async function send(socket) {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
  for (let at = 0; at < bytes && !socket.destroyed; at += PIECE_BYTES) {
    if (!socket.write(page.subarray(at, at + PIECE_BYTES))) await once(socket, 'drain').catch(() => {});
    await turnOfTheLoop();
  }
}

const server = createServer((socket) => {
  // Scrapers end by hanging up.
  socket.on('error', () => {});
  socket.on('data', () => waiting.push(socket));
});
setInterval(() => {
  const served = waiting;
  waiting = [];
  for (const socket of served) void send(socket);
}, pauseMs);
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
