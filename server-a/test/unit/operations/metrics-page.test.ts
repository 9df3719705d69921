/** The page of metrics over HTTP, also to scrapers that hang up. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import Koa from 'koa';
import { createOperatorsServer } from '../../../src/http/server.js';
import { reportErrors } from '../../../src/layers/report-errors.js';
import { createMetrics } from '../../../src/metrics.js';
import { metricsPage } from '../../../src/operations/metrics-page.js';
import type { RequestState } from '../../../src/request/state.js';
import { logInto } from '../../support/log-into.js';
import { begin, bytesOf, QUESTION, scrape, serveMetrics, valuesOn } from '../../support/metrics-server.js';

/** The lines without their values, and without the series of Node.js: some come and go. */
const linesOf = (page: string): string[] =>
  page
    .split('\n')
    .filter((line) => !line.startsWith('nodejs_'))
    .map((line) => (line.startsWith('#') ? line : line.replace(/ \S+$/, '')));

test('metrics page: 2,000 clients -> all their lines, of a length that is told, whatever codings are accepted', async (t) => {
  const { port } = await serveMetrics(t, 2000);
  const plain = await scrape(port);
  for (const encoding of ['gzip', '*', 'identity;q=0']) {
    const { headers, bytes } = await scrape(port, encoding);
    t.is(headers['content-encoding'], undefined);
    t.is(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    t.is(headers['content-length'], String(bytes.length));
    const text = bytes.toString();
    t.deepEqual(linesOf(text), linesOf(plain.bytes.toString()));
    t.regex(text, /^sms_publish_in_flight 3$/m);
    t.is(text.match(/^sms_quota_used\{/gm)?.length, 2000);
  }
});

test('metrics page: HEAD -> the headers of GET, and no body', async (t) => {
  const { port } = await serveMetrics(t, 100);
  const asked = request({ host: '127.0.0.1', port, path: '/metrics', method: 'HEAD', agent: false });
  asked.end();
  const [answer]: IncomingMessage[] = await once(asked, 'response');
  t.true(Number(answer?.headers['content-length']) > 100);
  t.is(answer === undefined ? undefined : (await bytesOf(answer)).length, 0);
});

test('metrics page: scrapers that hang up before, within and behind a page -> the next ones are whole', async (t) => {
  const { port, setAll } = await serveMetrics(t, 5000);
  const early = await begin(port, QUESTION);
  early.destroy();
  const within = await begin(port, QUESTION);
  await once(within, 'data');
  within.destroy();
  const several = await begin(port, QUESTION.repeat(3));
  await once(several, 'data');
  several.destroy();
  for (const value of [5, 6]) {
    setAll(value);
    const { bytes } = await scrape(port);
    t.deepEqual(valuesOn(bytes.toString()), new Set([String(value)]));
  }
});

test('metrics page: fast scrapers -> one piece is written in a turn of the event loop, at most', async (t) => {
  const { server, port } = await serveMetrics(t, 5000);
  const perTurn: number[] = [];
  let turn = 0;
  let ended = false;
  server.on('request', (_req, res) => {
    const write = res.write.bind(res);
    res.write = (piece: unknown) => {
      perTurn[turn] = (perTurn[turn] ?? 0) + 1;
      return write(piece);
    };
  });
  const watch = (async () => {
    for (; !ended; turn += 1) await turnOfTheLoop();
  })();
  await Promise.all([1, 2, 3].map(() => scrape(port)));
  ended = true;
  await watch;
  const turns = perTurn.filter((writes) => writes > 0);
  t.true(turns.length >= 30, `${turns.length}`);
  t.deepEqual(new Set(turns), new Set([1]));
});

test.serial(
  'metrics page: sent -> nothing has asked for `Response`, with which Node.js loads all of `fetch`',
  async (t) => {
    const { port } = await serveMetrics(t, 10);
    const before = Object.getOwnPropertyDescriptor(globalThis, 'Response');
    let asked = 0;
    Object.defineProperty(globalThis, 'Response', {
      configurable: true,
      get: () => {
        asked += 1;
        return class {};
      },
    });
    try {
      await scrape(port);
    } finally {
      if (before !== undefined) Object.defineProperty(globalThis, 'Response', before);
    }
    t.is(asked, 0);
  },
);

test('metrics page: asked for with a body that has not come in whole -> says that the connection ends, as it does', async (t) => {
  const parts = {
    metrics: createMetrics(),
    publisher: { inFlight: 0 },
    redis: { usable: true },
    rabbitmq: { unusable: undefined },
  };
  const app = new Koa<RequestState>();
  app.use(reportErrors());
  app.use(metricsPage(parts));
  const server = createOperatorsServer(app.callback(), {
    env: { MAX_CONNECTIONS: 5, SHUTDOWN_TIMEOUT_MS: 1000 },
    metrics: parts.metrics,
    log: logInto('info').log,
    longestRequestMs: 3000,
    ending: () => false,
    lingerMs: 50,
  });
  const { port } = await server.listen('127.0.0.1', 0);
  t.teardown(() => server.closeAtOnce());
  const asked = QUESTION.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  for (const text of [asked, asked.replace('GET', 'HEAD')]) {
    const socket = await begin(port, text);
    const answer = Buffer.concat(await socket.toArray()).toString('latin1');
    t.regex(answer, /^HTTP\/1\.1 200 OK\r\n/);
    t.regex(answer, /^Connection: close\r$/m);
  }
});
