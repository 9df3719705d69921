/** A server of the page of metrics alone, and ways to scrape it. */
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import Koa from 'koa';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import { metricsPage } from '../../src/operations/metrics-page.js';
import type { RequestState } from '../../src/request/state.js';

/** A server that serves. */
export interface Served {
  readonly server: Server;
  readonly port: number;
  /** Sets all series of `sms_quota_used` at once, so that a page has one value in all of them, or is not of one moment. */
  readonly setAll: (value: number) => void;
}

/** Serves so many series of `sms_quota_used` until the test ends. @param sendLimitMs milliseconds for a scraper to take a page */
export async function serveMetrics(
  t: ExecutionContext,
  series: number,
  sendLimitMs?: number,
): Promise<Served> {
  const metrics: Metrics = createMetrics();
  const parts = {
    metrics,
    publisher: { inFlight: 3 },
    redis: { usable: true },
    rabbitmq: { unusable: undefined },
  };
  const app = new Koa<RequestState>();
  // Scrapers that hang up.
  app.on('error', () => {});
  app.use(metricsPage(parts, { sendLimitMs, pauseMs: 1 }));
  const server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const clients = Array.from({ length: series }, (_, n) => ({ client: `${n}`.padEnd(200, '-') }));
  const setAll = (value: number): void => {
    for (const labels of clients) metrics.quotaUsed.set(labels, value);
  };
  setAll(0);
  return { server, port: portOf(server), setAll };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Reads an answer's body. */
export async function bytesOf(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Scrapes once. */
export async function scrape(port: number, encoding?: string) {
  const headers = encoding === undefined ? {} : { 'Accept-Encoding': encoding };
  const [answer]: IncomingMessage[] = await once(
    get({ host: '127.0.0.1', port, path: '/metrics', headers, agent: false }),
    'response',
  );
  if (answer === undefined) throw new Error('no answer');
  return { headers: answer.headers, bytes: await bytesOf(answer) };
}

/** The values that `sms_quota_used` has on a page. */
export const valuesOn = (page: string): Set<string> =>
  new Set(Array.from(page.matchAll(/^sms_quota_used\{.*\} (\d+)$/gm), ([, value = '']) => value));

/** A scrape, as it is written to a socket. */
export const QUESTION = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';

/** Connects, and writes a text. */
export async function begin(port: number, text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}
