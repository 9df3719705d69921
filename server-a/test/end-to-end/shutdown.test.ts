import { randomUUID } from 'node:crypto';
import test from 'ava';
import { keepBusy } from '../support/busy-connection.js';
import { parseObject } from '../support/json.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const CONNECTIONS = 200;

const site = new Site({ clients: { main: {}, loaded: {}, keyed: {}, slow: {}, stuck: {} } });
const outbox = await site.startGateway().then(() => site.openOutbox());

test.after.always(() => site.close());

/** A send request as it goes over the wire. */
function rawRequest(client: string, keyed = false): string {
  const body = JSON.stringify(newBody());
  const key = keyed ? `Idempotency-Key: ${randomUUID()}\r\n` : '';
  return `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${site.apiKey(client)}\r\n${key}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

for (const [client, keyed] of [
  ['loaded', false],
  ['keyed', true],
] as const) {
  test.serial(
    `shutdown: SIGTERM with ${CONNECTIONS} busy connections, ${keyed ? 'keyed' : 'unkeyed'} requests -> exit 0, every answer whole, every 202 in the queue and every message answered`,
    async (t) => {
      const gateway = await site.startGateway();
      const connections = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => keepBusy(gateway.port, () => rawRequest(client, keyed))),
      );
      await waitFor('1000 answers', () => connections.reduce((sum, { count }) => sum + count(), 0) > 1000);
      const startedAt = performance.now();
      const { code } = await gateway.stop();
      t.is(code, 0);
      t.true(performance.now() - startedAt < 5000, 'ended within 5 s, though senders never paused');

      const answers = (await Promise.all(connections.map(({ closed }) => closed))).flat();
      t.true(answers.every(({ whole, status }) => whole && status === 202));
      const answered = answers.map(({ body }) => String(parseObject(body)['tracking_id']));
      await outbox.settled();
      const sent = outbox.received
        .filter(({ envelope }) => envelope['client_key'] === site.apiKey(client))
        .map(({ envelope }) => String(envelope['tracking_id']));
      t.deepEqual(new Set(answered).size, answered.length);
      t.deepEqual(sent.sort(), answered.sort());
      t.is(await site.used(client), sent.length);
    },
  );
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test.serial(
    `shutdown: ${signal} with nothing to do, an idle kept-alive connection open -> exit 0 at once`,
    async (t) => {
      const gateway = await site.startGateway();
      const idle = await connectRaw(gateway.port);
      idle.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await waitFor(
        'an answer',
        () => splitAnswers(idle.received(), [{ method: 'GET', path: '/healthz' }])[0]?.whole,
      );
      const startedAt = performance.now();
      t.is((await gateway.stop(signal)).code, 0);
      t.true(performance.now() - startedAt < 2000);
      await idle.closed;
      t.is((await gateway.line('shutdown.started'))['signal'], signal);
    },
  );
}

test.serial(
  'shutdown: while a request waits for its confirm -> no new connections, /readyz 503, the request is answered',
  async (t) => {
    const proxy = await startTcpProxy(RABBITMQ_URL);
    t.teardown(() => proxy.close());
    const gateway = await site.startGateway({ RABBITMQ_URL: proxy.url, PUBLISH_TIMEOUT_MS: '5000' });
    // A connection that is in use at the signal may still ask.
    const asking = await connectRaw(gateway.port);
    asking.socket.write(
      `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n`,
    );
    proxy.stallAnswers();
    const body = newBody();
    const pending = gateway.send({ apiKey: site.apiKey('slow'), body });
    await waitFor('the message', async () => (await outbox.withText(body.text)).length === 1);
    const ended = gateway.stop();
    await gateway.line('shutdown.started');
    await t.throwsAsync(connectRaw(gateway.port), { code: 'ECONNREFUSED' });

    const asked = [
      { method: 'POST', path: SEND_PATH },
      { method: 'GET', path: '/readyz' },
    ];
    asking.socket.write('\r\n{}GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n');
    const answers = await Promise.race([
      asking.closed.then((received) => splitAnswers(received, asked)),
      waitFor('two answers', () => {
        const got = splitAnswers(asking.received(), asked);
        return got.length === 2 && got.every(({ whole }) => whole) && got;
      }),
    ]);
    t.is(answers[0]?.status, 401);
    if (answers[1] === undefined) t.regex(String(answers[0]?.head), /connection: close/i);
    else t.is(answers[1].status, 503);
    t.true(gateway.process.running);

    proxy.resume();
    t.is((await pending).status, 202);
    t.is((await ended).code, 0);
  },
);

test.serial(
  'shutdown: the broker frozen -> the request in flight gets its 500, and it ends within SHUTDOWN_TIMEOUT_MS',
  async (t) => {
    const proxy = await startTcpProxy(RABBITMQ_URL);
    t.teardown(() => proxy.close());
    const gateway = await site.startGateway({ RABBITMQ_URL: proxy.url, SHUTDOWN_TIMEOUT_MS: '3000' });
    proxy.stall();
    const pending = gateway.send({ apiKey: site.apiKey('stuck'), body: newBody() });
    await waitFor('a unit taken', async () => (await site.used('stuck')) === 1);
    const startedAt = performance.now();
    const ended = gateway.stop();
    const answer = await pending;
    t.is(answer.status, 500);
    t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
    await ended;
    t.true(performance.now() - startedAt < 4500);
  },
);

test.serial('shutdown: a second signal -> it ends at once, not with 0', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({ RABBITMQ_URL: proxy.url, PUBLISH_TIMEOUT_MS: '20000' });
  proxy.stall();
  const pending = t.throwsAsync(gateway.send({ apiKey: site.apiKey('main'), body: newBody() }));
  await waitFor('a unit taken', async () => (await site.used('main')) >= 1);
  gateway.process.signal('SIGTERM');
  await gateway.line('shutdown.started');
  const startedAt = performance.now();
  const { code } = await gateway.stop('SIGTERM');
  t.not(code, 0);
  t.true(performance.now() - startedAt < 1500);
  t.true(gateway.log.some(({ message }) => message === 'shutdown.forced'));
  await pending;
});

test.serial('shutdown: longer than SHUTDOWN_TIMEOUT_MS -> it ends then, not with 0', async (t) => {
  const proxy = await startTcpProxy(RABBITMQ_URL);
  t.teardown(() => proxy.close());
  const gateway = await site.startGateway({
    RABBITMQ_URL: proxy.url,
    PUBLISH_TIMEOUT_MS: '20000',
    SHUTDOWN_TIMEOUT_MS: '700',
  });
  proxy.stall();
  const pending = t.throwsAsync(gateway.send({ apiKey: site.apiKey('main'), body: newBody() }));
  await waitFor('a message in flight', async () =>
    (await gateway.ask('/metrics')).text.includes('sms_publish_in_flight 1'),
  );
  const startedAt = performance.now();
  const { code } = await gateway.stop();
  const tookMs = performance.now() - startedAt;
  t.not(code, 0);
  t.true(tookMs > 600 && tookMs < 3000);
  t.true(gateway.log.some(({ message }) => message === 'shutdown.timed_out'));
  await pending;
});

test.serial('shutdown: before Redis and RabbitMQ ever came -> exit 0', async (t) => {
  const gateway = await site.startGateway(
    { REDIS_URL: 'redis://127.0.0.1:1/0', RABBITMQ_URL: 'amqp://127.0.0.1:1/' },
    { untilReady: false },
  );
  const startedAt = performance.now();
  t.is((await gateway.stop()).code, 0);
  t.true(performance.now() - startedAt < 4000);
});
