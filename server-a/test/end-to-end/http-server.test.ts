import { Agent } from 'node:http';
import test from 'ava';
import { ask } from '../support/http-client.js';
import { parseObject } from '../support/json.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site();
const gateway = await site.startGateway();
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** A send request as it goes over the wire. */
function rawRequest(body: string, headers = ''): string {
  return `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

test('http: bytes that are no request -> 400 with an error body, and the connection is closed', async (t) => {
  for (const bytes of ['hello\r\n\r\n', '\u0016\u0003\u0001\u0002', 'GET / HTTP/9.9\r\n\r\n']) {
    const raw = await connectRaw(gateway.port);
    raw.socket.write(bytes, 'latin1');
    const [answer, ...others] = splitAnswers(await raw.closed);
    t.deepEqual(others, []);
    t.is(answer?.status, 400);
    t.true(answer?.whole);
    t.is(parseObject(answer?.body ?? '')['error_code'], 'INVALID_PAYLOAD');
  }
});

test('http: HTTP/1.1 without a Host header -> 400 with an error body; HTTP/1.0 without one -> served', async (t) => {
  const refused = await connectRaw(gateway.port);
  refused.socket.write('GET /healthz HTTP/1.1\r\n\r\n');
  const [refusal] = splitAnswers(await refused.closed);
  t.is(refusal?.status, 400);
  t.is(parseObject(refusal?.body ?? '')['error_code'], 'INVALID_PAYLOAD');
  const served = await connectRaw(gateway.port);
  served.socket.write('GET /healthz HTTP/1.0\r\n\r\n');
  const [answer] = splitAnswers(await served.closed, [{ method: 'GET', path: '/healthz' }]);
  t.is(answer?.status, 200);
});

test('http: an expectation that nobody knows -> passed over; 100-continue -> told to go on', async (t) => {
  t.is((await gateway.send({ apiKey, body: newBody(), headers: { Expect: 'a-miracle' } })).status, 202);
  const body = JSON.stringify(newBody());
  const raw = await connectRaw(gateway.port);
  raw.socket.write(rawRequest(body, 'Expect: 100-continue\r\n').slice(0, -body.length));
  await waitFor('100 Continue', () => raw.received() === 'HTTP/1.1 100 Continue\r\n\r\n');
  raw.socket.write(body);
  await waitFor('the answer', () => raw.received().includes('HTTP/1.1 202 Accepted'));
  raw.socket.destroy();
});

test('http: headers of 20 KiB -> 431', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(rawRequest('', `X-Filler: ${'x'.repeat(20_000)}\r\n`));
  const [answer] = splitAnswers(await raw.closed);
  t.is(answer?.status, 431);
  t.is(parseObject(answer?.body ?? '')['error_code'], 'INVALID_PAYLOAD');
});

test('http: headers of 4 KiB -> served', async (t) => {
  const headers = { 'X-Filler': 'x'.repeat(4096) };
  t.is((await gateway.send({ apiKey, body: newBody(), headers })).status, 202);
});

test('http: headers that do not end -> the connection is cut within 8 s', async (t) => {
  const raw = await connectRaw(gateway.port);
  const startedAt = performance.now();
  raw.socket.write(`POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\n`);
  const drip = setInterval(() => raw.socket.write('X-Slow: x\r\n'), 500);
  const received = await raw.closed;
  clearInterval(drip);
  t.true(performance.now() - startedAt < 8000);
  t.true(received === '' || received.startsWith('HTTP/1.1 408'));
});

test('http: a body that does not end -> the connection is cut within 13 s, nothing sent', async (t) => {
  const body = newBody();
  const raw = await connectRaw(gateway.port);
  const startedAt = performance.now();
  raw.socket.write(rawRequest(JSON.stringify(body)).slice(0, -2));
  const received = await raw.closed;
  t.true(performance.now() - startedAt < 13_000);
  t.true(received === '' || received.startsWith('HTTP/1.1 408'));
  t.deepEqual(await outbox.withText(body.text), []);
});

test('http: a sender that hangs up within its body -> nothing sent, and the gateway lives', async (t) => {
  const body = newBody();
  const raw = await connectRaw(gateway.port);
  raw.socket.write(rawRequest(JSON.stringify(body)).slice(0, -2));
  await waitFor('some bytes read', () => raw.socket.bytesWritten > 100);
  raw.socket.destroy();
  await raw.closed;
  t.is((await gateway.ask('/healthz')).status, 200);
  t.deepEqual(await outbox.withText(body.text), []);
});

test('http: a sender that hangs up before its answer -> the message is sent once, and the gateway lives', async (t) => {
  const body = newBody();
  const raw = await connectRaw(gateway.port);
  raw.socket.end(rawRequest(JSON.stringify(body)));
  await waitFor('the message', async () => (await outbox.withText(body.text)).length === 1);
  raw.socket.destroy();
  t.is((await gateway.ask('/healthz')).status, 200);
});

test('http: requests one after the other on one connection -> it is kept', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const sockets = new Set<unknown>();
  agent.on('free', (socket) => sockets.add(socket));
  const headers = { 'API-Key': apiKey, 'Content-Type': 'application/json' };
  for (const body of [JSON.stringify(newBody()), '{}', 'x', JSON.stringify(newBody())]) {
    await ask({ port: gateway.port, path: SEND_PATH, method: 'POST', headers, body }, agent);
  }
  t.is(sockets.size, 1);
});

test('http: three requests in one packet -> three answers in order', async (t) => {
  const bodies = [newBody(), newBody(), newBody()].map((body) => JSON.stringify(body));
  const raw = await connectRaw(gateway.port);
  raw.socket.write(bodies.map((body) => rawRequest(body)).join(''));
  const answers = await waitFor('three answers', () => {
    const got = splitAnswers(raw.received());
    return got.length === 3 && got.every(({ whole }) => whole) && got;
  });
  raw.socket.destroy();
  t.deepEqual(
    answers.map(({ status }) => status),
    [202, 202, 202],
  );
});

test("http: HTTP/2's method behind a request that ends the connection -> the answers before it come back", async (t) => {
  const body = JSON.stringify(newBody());
  const twoHosts = rawRequest('{}', 'Host: y\r\n');
  for (const preface of [
    // Read by Node as a request of that method, of HTTP/0.9.
    'PRI  /xHTTP/1.1\r\n\r\n',
    'PRI /x HTTP/1.1\r\nHost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    const raw = await connectRaw(gateway.port);
    raw.socket.end(rawRequest(body) + twoHosts + preface);
    t.deepEqual(
      splitAnswers(await raw.closed).map(({ status }) => status),
      [202, 400],
    );
  }
});

test('http: a body of 5 MB -> refused with 413 without waiting for all of it, or the connection is cut', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(rawRequest('').replace('Content-Length: 0', 'Content-Length: 5000000'));
  raw.socket.write('x'.repeat(1_000_000));
  const answer = await waitFor('an answer', () => splitAnswers(raw.received())[0]);
  t.is(answer.status, 413);
  raw.socket.destroy();
});

test('http: a refused large body, sent whole -> the next request on the connection is answered', async (t) => {
  const raw = await connectRaw(gateway.port);
  raw.socket.write(rawRequest('x'.repeat(200_000)) + rawRequest(JSON.stringify(newBody())));
  const answers = await Promise.race([
    raw.closed.then(splitAnswers),
    waitFor('two answers', () => {
      const got = splitAnswers(raw.received());
      return got.length === 2 && got;
    }),
  ]);
  raw.socket.destroy();
  t.is(answers[0]?.status, 413);
  // Either the connection is closed after the refusal and says so, or it goes on.
  t.true(answers[1]?.status === 202 || /^connection: close$/im.test(answers[0]?.head ?? ''));
});

test('http: a refused API key with a large body -> the next request on the connection is answered', async (t) => {
  const raw = await connectRaw(gateway.port);
  const large = rawRequest('x'.repeat(200_000)).replace(apiKey, 'wrong');
  raw.socket.write(large + rawRequest(JSON.stringify(newBody())));
  const answers = await Promise.race([
    raw.closed.then(splitAnswers),
    waitFor('two answers', () => {
      const got = splitAnswers(raw.received());
      return got.length === 2 && got;
    }),
  ]);
  raw.socket.destroy();
  t.is(answers[0]?.status, 401);
  t.true(answers[1]?.status === 202 || /^connection: close$/im.test(answers[0]?.head ?? ''));
});

test('http: chunked, without a length -> read; over the limit 413', async (t) => {
  const body = newBody();
  const headers = { 'Transfer-Encoding': 'chunked' };
  t.is((await gateway.send({ apiKey, body, headers })).status, 202);
  t.is((await outbox.withText(body.text)).length, 1);
  t.is((await gateway.send({ apiKey, body: 'x'.repeat(40_000), headers })).status, 413);
});
