/** What comes over a connection and is no request, or comes behind one: each request has its own answer, and no other. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { parseObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site();
const gateway = await site.startGateway();
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');
const HEALTH = [{ method: 'GET', path: '/healthz' }];

test.after.always(() => site.close());

/** A send request as it goes over the wire. */
function rawRequest(body: string, headers = ''): string {
  return `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** What may follow a valid request where a wrong Content-Length, or somebody else, puts it. */
const GARBAGE = {
  'stray bytes': '}\r\n\r\n',
  'half a request line': 'GE',
  'a broken request': 'GET / HTTP/1.1\r\nbroken header\r\n\r\n',
  'a header of 9 kB': `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(9000)}\r\n\r\n`,
  'a CONNECT': 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  "the preface's method, and no version": 'PRI /x\r\nHost: x\r\n\r\n',
} as const;

for (const [what, bytes] of Object.entries(GARBAGE)) {
  for (const keyed of [true, false]) {
    test(`connection: a valid ${keyed ? 'keyed' : 'unkeyed'} request, then ${what} -> the request has its own 202, and nothing comes instead of it`, async (t) => {
      const body = newBody();
      const raw = await connectRaw(gateway.port);
      const key = keyed ? `Idempotency-Key: ${randomUUID()}\r\n` : '';
      raw.socket.end(rawRequest(JSON.stringify(body), key) + bytes);
      const [answer, ...others] = splitAnswers(await raw.closed);
      t.is(answer?.status, 202);
      // An answer to what follows may come, and only behind it.
      t.true(others.length <= 1 && others.every(({ status }) => status >= 400));
      t.is((await outbox.withText(body.text)).length, 1);
    });
  }
}

test('connection: garbage while the message waits for its confirm -> 202 when it comes, then the connection is closed', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const slow = await site.startGateway({ RABBITMQ_URL: proxy.url, PUBLISH_TIMEOUT_MS: '20000' });
  const body = newBody();
  proxy.stallAnswers();
  const raw = await connectRaw(slow.port);
  raw.socket.write(`${rawRequest(JSON.stringify(body))}garbage\r\n\r\n`);
  await slow.line('connection.refused');
  t.is(raw.received(), '');
  proxy.resume();
  const answers = splitAnswers(await raw.closed);
  t.deepEqual(
    answers.map(({ status }) => status),
    [202],
  );
  t.regex(answers[0]?.head ?? '', /^connection: close$/im);
});

test('connection: a sender that ends its side after a whole request -> it gets its answer', async (t) => {
  for (const key of ['', `Idempotency-Key: ${randomUUID()}\r\n`]) {
    const body = newBody();
    const raw = await connectRaw(gateway.port);
    raw.socket.end(rawRequest(JSON.stringify(body), key));
    const [answer, ...others] = splitAnswers(await raw.closed);
    t.is(answer?.status, 202);
    t.deepEqual(others, []);
  }
});

test('connection: a sender that ends its side after two requests -> it gets both answers', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.end(rawRequest(JSON.stringify(newBody())) + rawRequest('{}'));
  t.deepEqual(
    splitAnswers(await raw.closed).map(({ status }) => status),
    [202, 400],
  );
});

test('connection: a sender that ends its side within a request -> 400, and the connection is closed', async (t) => {
  for (const bytes of ['POST', rawRequest('{}').slice(0, 60), rawRequest('{}').slice(0, -1)]) {
    const raw = await connectRaw(gateway.port);
    raw.socket.end(bytes);
    const startedAt = performance.now();
    const [answer, ...others] = splitAnswers(await raw.closed);
    t.is(answer?.status, 400);
    t.deepEqual(others, []);
    t.true(performance.now() - startedAt < 3000);
  }
});

test('connection: a chunk that is none, within the body -> 400 as the one answer, and the connection is closed', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(
    `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"to"\r\nzz\r\n`,
  );
  const [answer, ...others] = splitAnswers(await raw.closed);
  t.is(answer?.status, 400);
  t.deepEqual(others, []);
  await gateway.line('request', (line) => line['outcome'] === 'invalid_payload' && line['client'] === 'main');
});

test('connection: a request refused before its body came -> no second answer for that body', async (t) => {
  for (const rest of ['zz\r\n', '1\r\n']) {
    const raw = await connectRaw(gateway.port);
    raw.socket.write(
      `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    await waitFor('an answer', () => splitAnswers(raw.received())[0]?.whole);
    raw.socket.write(rest);
    const answers = splitAnswers(await raw.closed);
    t.deepEqual(
      answers.map(({ status }) => status),
      [401],
    );
  }
});

for (const version of ['HTTP/1.1', 'HTTP/1.0']) {
  test(`connection: ${version}, to be closed, refused before its body came -> the answer can be read though the body still comes`, async (t) => {
    const raw = await connectRaw(gateway.port);
    let broken: unknown;
    raw.socket.once('error', (error) => {
      broken = error;
    });
    raw.socket.pause();
    raw.socket.write(
      `POST ${SEND_PATH} ${version}\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\ntraceparent: 00-${version === 'HTTP/1.1' ? '1' : '2'}af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: 200000\r\n\r\nx`,
    );
    const traceId = `${version === 'HTTP/1.1' ? '1' : '2'}af7651916cd43dd8448eb211c80319c`;
    await gateway.line('request', (line) => line['trace_id'] === traceId);
    // The line is written some time after the answer; this sender only now writes the rest, and then reads.
    for (let left = 199_999; left > 0; left -= 10_000) {
      await new Promise((resolve) => raw.socket.write('x'.repeat(Math.min(left, 10_000)), resolve));
    }
    raw.socket.resume();
    t.deepEqual(
      splitAnswers(await raw.closed).map(({ status }) => status),
      [401],
    );
    t.is(broken, undefined);
  });
}

/** Refusals that no layer sees, with the answer's status and the reason that is logged and counted. */
const REFUSED = {
  'bytes that are no request': ['hello\r\n\r\n', 400, 'malformed'],
  'a TLS handshake': ['\u0016\u0003\u0001\u0002', 400, 'malformed'],
  'a header over the limit': [`GET / HTTP/1.1\r\nX: ${'x'.repeat(9000)}\r\n\r\n`, 431, 'headers_too_large'],
  'no Host': ['GET /healthz HTTP/1.1\r\n\r\n', 400, 'host'],
  'an unknown expectation and no Host': [
    `POST ${SEND_PATH} HTTP/1.1\r\nExpect: foo\r\nContent-Length: 0\r\n\r\n`,
    400,
    'host',
  ],
  'two Hosts': ['GET /healthz HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400, 'host'],
  'HTTP/2.0 in the request line': ['GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n', 400, 'version'],
  'a target with a broken address': ['GET http://[::1/x HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'target'],
  'a target with a broken port': ['GET http://x:y/healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'target'],
  'a target of another scheme': ['GET ftp://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'target'],
  'an asterisk': ['OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'target'],
  'a fragment in the target': ['GET /healthz#a HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'target'],
  'bytes over ASCII in the target': ['GET /caf\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'malformed'],
  'a CONNECT': ['CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'connect'],
  "the preface's method, and no version": ['PRI /x\r\nHost: x\r\n\r\n', 400, 'malformed'],
  'an HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed'],
} as const;

for (const [what, [bytes, status, reason]] of Object.entries(REFUSED)) {
  test.serial(`connection: ${what} -> ${status}, one log line, one count`, async (t) => {
    const labels = { reason, status: String(status) };
    const before = (await scrape(gateway)).value('sms_http_refusals_total', labels);
    const lines = gateway.log.length;
    const raw = await connectRaw(gateway.port);
    raw.socket.write(bytes, 'latin1');
    const [answer, ...others] = splitAnswers(await raw.closed, [
      status === 405 ? { method: 'CONNECT', path: '/healthz' } : { method: 'POST', path: SEND_PATH },
    ]);
    t.is(answer?.status, status);
    t.deepEqual(others, []);
    const { error_code: code } = parseObject(answer?.body ?? '');
    t.is(code, status === 405 ? 'METHOD_NOT_ALLOWED' : 'INVALID_PAYLOAD');
    t.regex(answer?.head ?? '', /^connection: close$/im);
    await waitFor('a line', () => gateway.log.length > lines);
    t.deepEqual(
      gateway.log.slice(lines).map((line) => [line['message'], line['reason'], line['status']]),
      [['connection.refused', reason, status]],
    );
    t.is((await scrape(gateway)).value('sms_http_refusals_total', labels), before + 1);
  });
}

test('connection: odd targets -> nothing on stderr', (t) => {
  t.is(gateway.process.stderr, '');
});

test('target: an absolute one, as a proxy writes it -> served by its path', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.end('GET http://gateway.internal:8000/healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  t.deepEqual(
    splitAnswers(await raw.closed, HEALTH).map(({ status }) => status),
    [200],
  );
  const body = newBody();
  const sending = await connectRaw(gateway.port);
  sending.socket.end(rawRequest(JSON.stringify(body)).replace(SEND_PATH, `http://x${SEND_PATH}`));
  t.is(splitAnswers(await sending.closed)[0]?.status, 202);
  t.is((await outbox.withText(body.text)).length, 1);
});

for (const method of ['PROPFIND', 'TRACE', 'PURGE', 'DELETE']) {
  for (const [path, status] of [
    ['/healthz', 405],
    [SEND_PATH, 405],
    ['/nothing', 404],
  ] as const) {
    test(`method: ${method} ${path} -> ${status}, logged and counted as ${status}`, async (t) => {
      const raw = await connectRaw(gateway.port);
      raw.socket.end(`${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const [answer] = splitAnswers(await raw.closed, [{ method, path }]);
      t.is(answer?.status, status);
      const line = await gateway.line(
        'request',
        (line) => line['method'] === method && line['path'] === path,
      );
      t.is(line['status'], status);
      const labels = { status: String(status) };
      t.true((await scrape(gateway)).value('sms_other_requests_total', labels) > 0);
    });
  }
}
