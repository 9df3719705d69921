/** The page of metrics over HTTP: plain and compressed, to slow scrapers and to such as hang up. */
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';
import { createMetrics, type Metrics } from '../../../src/metrics.js';
import { metricsPage } from '../../../src/operations/metrics-page.js';
import type { RequestState } from '../../../src/request/state.js';
import { waitFor } from '../../support/wait-for.js';

/** More than a loopback connection holds on its own, at 250 bytes a series. */
const MANY = 60_000;

interface Served {
  readonly server: Server;
  readonly port: number;
  /** Sets all series of `sms_quota_used` at once, so that a page has one value in all of them, or is not of one moment. */
  readonly setAll: (value: number) => void;
}

async function serve(t: ExecutionContext, series: number, sendLimitMs?: number): Promise<Served> {
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
  app.use(metricsPage(parts, { sendLimitMs, pauseMs: { least: 1, most: 1 } }));
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

async function bytesOf(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function scrape(port: number, encoding?: string) {
  const headers = encoding === undefined ? {} : { 'Accept-Encoding': encoding };
  const [answer]: IncomingMessage[] = await once(
    get({ host: '127.0.0.1', port, path: '/metrics', headers, agent: false }),
    'response',
  );
  if (answer === undefined) throw new Error('no answer');
  return { headers: answer.headers, bytes: await bytesOf(answer) };
}

/** The values that `sms_quota_used` has on a page. */
const valuesOn = (page: string): Set<string> =>
  new Set(Array.from(page.matchAll(/^sms_quota_used\{.*\} (\d+)$/gm), ([, value = '']) => value));

/** The lines without their values, and without the series of Node.js: some come and go. */
const linesOf = (page: string): string[] =>
  page
    .split('\n')
    .filter((line) => !line.startsWith('nodejs_'))
    .map((line) => (line.startsWith('#') ? line : line.replace(/ \S+$/, '')));

for (const [encoding, coding] of [
  ['gzip', 'gzip'],
  ['deflate, gzip;q=0.5', 'gzip'],
  ['*', 'gzip'],
  [undefined, undefined],
  ['', undefined],
  ['identity', undefined],
  ['br', undefined],
  ['gzip;q=0', undefined],
  ['gzip;q=0.2, identity;q=0.5', undefined],
] as const) {
  test(`metrics page: Accept-Encoding ${encoding ?? 'not given'} -> ${coding ?? 'plain'}, the same lines`, async (t) => {
    const { port } = await serve(t, 2000);
    const plain = await scrape(port, 'identity');
    const { headers, bytes } = await scrape(port, encoding);
    t.is(headers['content-encoding'], coding);
    t.is(headers.vary, 'Accept-Encoding');
    t.is(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    t.is(headers['content-length'], String(bytes.length));
    const text = (coding === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    t.deepEqual(linesOf(text), linesOf(plain.bytes.toString()));
    t.regex(text, /^sms_publish_in_flight 3$/m);
    t.is(text.match(/^sms_quota_used\{/gm)?.length, 2000);
  });
}

for (const encoding of ['gzip', 'identity']) {
  test(`metrics page: HEAD, ${encoding} -> the headers of GET, and no body`, async (t) => {
    const { port } = await serve(t, 100);
    const asked = request({
      host: '127.0.0.1',
      port,
      path: '/metrics',
      method: 'HEAD',
      headers: { 'Accept-Encoding': encoding },
      agent: false,
    });
    asked.end();
    const [answer]: IncomingMessage[] = await once(asked, 'response');
    t.is(answer?.headers['content-encoding'], encoding === 'gzip' ? 'gzip' : undefined);
    t.true(Number(answer?.headers['content-length']) > 100);
    t.is(answer === undefined ? undefined : (await bytesOf(answer)).length, 0);
  });
}

const question = (encoding: string): string =>
  `GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: ${encoding}\r\n\r\n`;

async function begin(port: number, text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

test('metrics page: a scraper that reads slowly, and pages for others meanwhile -> its page is of one moment', async (t) => {
  const { port, setAll } = await serve(t, MANY, 60_000);
  setAll(1);
  const asked = get({ host: '127.0.0.1', port, path: '/metrics', agent: false });
  const [answer]: IncomingMessage[] = await once(asked, 'response');
  if (answer === undefined) return t.fail('no answer');
  // Nobody has read of it yet.
  for (const value of [2, 3, 4]) {
    setAll(value);
    t.deepEqual(valuesOn((await scrape(port)).bytes.toString()), new Set([String(value)]));
  }
  const page = (await bytesOf(answer)).toString();
  t.deepEqual(valuesOn(page), new Set(['1']));
  t.is(page.match(/^sms_quota_used\{/gm)?.length, MANY);
});

for (const encoding of ['gzip', 'identity']) {
  test(`metrics page: scrapers that hang up before, within and behind a page, ${encoding} -> the next ones are whole`, async (t) => {
    const { port, setAll } = await serve(t, 5000);
    const early = await begin(port, question(encoding));
    early.destroy();
    const within = await begin(port, question(encoding));
    await once(within, 'data');
    within.destroy();
    const several = await begin(port, question(encoding).repeat(3));
    await once(several, 'data');
    several.destroy();
    for (const value of [5, 6]) {
      setAll(value);
      const { bytes } = await scrape(port, encoding);
      const text = (encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString();
      t.deepEqual(valuesOn(text), new Set([String(value)]));
    }
  });
}

test('metrics page: a scraper that takes nothing of two pages -> its connection ends when the time is up', async (t) => {
  const { server, port } = await serve(t, MANY, 500);
  const stalled = await begin(port, question('identity').repeat(2));
  t.teardown(() => stalled.destroy());
  stalled.pause();
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  t.is(await connections(), 1);
  await waitFor('its end', async () => (await connections()) === 0, { withinMs: 20_000 });
});
