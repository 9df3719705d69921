/**
 * Scrapers in a process of their own, each asking again as soon as it has its page.
 *
 *     tsx bench/scraper-process.ts <port> <how many>
 *
 * Prints `begun` with its first page. Ends at SIGTERM, after printing how many pages it was given, and of which size.
 */
import { Agent, get } from 'node:http';

const [port, count] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true });
let pages = 0;
let bytes = 0;

function scrape(): Promise<void> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, path: '/metrics', agent }, (answer) => {
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
      });
      answer.on('end', () => {
        if (answer.statusCode === 200) {
          pages += 1;
          if (pages === 1) process.stdout.write('begun\n');
          bytes = size;
        }
        resolve();
      });
      answer.on('error', () => resolve());
    });
    asked.on('error', () => resolve());
  });
}

process.on('SIGTERM', () => {
  process.stdout.write(`ended ${pages} ${bytes}\n`, () => process.exit(0));
});
await Promise.all(
  Array.from({ length: count ?? 1 }, async () => {
    for (;;) await scrape();
  }),
);
