/** A port of their own for the operators: what is on it, what leaves the senders' port, and how it ends. */
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { ask } from '../support/http-client.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site();
test.after.always(() => site.close());

const SENDERS = '/api/v1/sms/send';

test('operations port: not given -> everything on one port', async (t) => {
  const gateway = await site.startGateway();
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
    t.is((await gateway.ask(path)).status, 200, path);
  }
  const started = await gateway.line('gateway.started');
  t.false('operations_port' in started);
});

test("operations port: given -> readiness, metrics and contract are there alone, sends on the senders' port alone", async (t) => {
  const gateway = await site.startGateway({ OPERATIONS_PORT: '0' }, { untilReady: false });
  const { operations_port: port } = await gateway.line('gateway.started');
  if (typeof port !== 'number') return t.fail('no port in the log');
  t.not(port, gateway.port);
  const askOperations = (path: string, method = 'GET') => ask({ port, path, method });
  await waitFor('a ready gateway', async () => (await askOperations('/readyz')).status === 200);
  for (const path of ['/readyz', '/metrics', '/openapi.json']) {
    t.is((await askOperations(path)).status, 200, path);
    t.is((await askOperations(path, 'HEAD')).status, 200, path);
    const absent = await gateway.ask(path);
    t.is(absent.status, 404, path);
    t.is(absent.json['error_code'], 'NOT_FOUND');
  }
  for (const answer of [await askOperations('/healthz'), await gateway.ask('/healthz')])
    t.is(answer.status, 200);
  const wrong = await askOperations('/metrics', 'POST');
  t.is(wrong.status, 405);
  t.is(wrong.headers['allow'], 'HEAD, GET');
  // Not by `ask`, which holds answers to the contract: nobody is promised anything about this path here.
  const elsewhere = await fetch(`http://127.0.0.1:${port}${SENDERS}`, { method: 'POST' });
  t.is(elsewhere.status, 404);

  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 202);
  const page = (await askOperations('/metrics')).text;
  t.regex(page, /^sms_send_requests_total\{client="main",outcome="accepted"\} 1$/m);
  t.deepEqual(await gateway.stop(), { code: 0, signal: null });
});

test('operations port: the one of the senders -> one port for all', async (t) => {
  const free = await site.startGateway();
  const { port } = free;
  await free.stop();
  const gateway = await site.startGateway({ SERVER_A_PORT: String(port), OPERATIONS_PORT: String(port) });
  t.is((await gateway.ask('/metrics')).status, 200);
});

test('operations port: taken -> the gateway does not start, and says so', async (t) => {
  const other = await site.startGateway();
  await t.throwsAsync(site.startGateway({ OPERATIONS_PORT: String(other.port) }), { message: /EADDRINUSE/ });
});

test('operations port: a shutdown with a sender in flight -> /readyz there says so until the end', async (t) => {
  const gateway = await site.startGateway({ OPERATIONS_PORT: '0' }, { untilReady: false });
  const { operations_port: port } = await gateway.line('gateway.started');
  if (typeof port !== 'number') return t.fail('no port in the log');
  await waitFor('a ready gateway', async () => (await ask({ port, path: '/readyz' })).status === 200);
  // The head of a request whose body does not come; 100 (Continue) says that it has arrived.
  const sender = connect(gateway.port, '127.0.0.1');
  t.teardown(() => sender.destroy());
  sender.on('error', () => {});
  sender.write(
    `POST ${SENDERS} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nAPI-Key: ${site.apiKey('main')}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
  );
  await once(sender, 'data');
  gateway.process.signal('SIGTERM');
  await gateway.line('shutdown.started');
  const { status, json } = await ask({ port, path: '/readyz' });
  t.is(status, 503);
  t.is(json['status'], 'shutting_down');
  sender.destroy();
  t.deepEqual(await gateway.process.ended, { code: 0, signal: null });
});
