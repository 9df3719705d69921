/**
 * SIGTERM: what is served, finished and given up.
 *
 * Over 250 lines: a list, one test for each state in which SIGTERM may come.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import test from 'ava';
import { keepBusy } from '../support/busy-connection.js';
import { parseObject } from '../support/json.js';
import { firstHeartbeat } from '../support/metrics-page.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const CONNECTIONS = 200;

const site = new Site({ clients: { main: {}, loaded: {}, keyed: {}, slow: {}, stuck: {}, pooled: {} } });
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
    SHUTDOWN_TIMEOUT_MS: '300',
  });
  proxy.stall();
  const pending = t.throwsAsync(gateway.send({ apiKey: site.apiKey('main'), body: newBody() }));
  await waitFor('a message in flight', async () =>
    // A heartbeat may be in flight as well.
    /^sms_publish_in_flight [1-9]/m.test((await gateway.ask('/metrics')).text),
  );
  const startedAt = performance.now();
  const { code } = await gateway.stop();
  const tookMs = performance.now() - startedAt;
  t.not(code, 0);
  t.true(tookMs > 250 && tookMs < 2000);
  t.true(gateway.log.some(({ message }) => message === 'shutdown.timed_out'));
  await pending;
});

for (const [mode, urls] of [
  ['single', 'redis://127.0.0.1:1/0'],
  ['sentinel', 'redis://127.0.0.1:1,redis://127.0.0.1:2'],
  ['cluster', 'redis://127.0.0.1:1,redis://127.0.0.1:2'],
] as const) {
  test.serial(`shutdown: before Redis (${mode}) and RabbitMQ ever came -> exit 0`, async (t) => {
    const gateway = await site.startGateway(
      { REDIS_MODE: mode, REDIS_URL: urls, RABBITMQ_URL: 'amqp://127.0.0.1:1/,amqp://127.0.0.1:2/' },
      { untilReady: false },
    );
    const startedAt = performance.now();
    t.is((await gateway.stop()).code, 0);
    t.true(performance.now() - startedAt < 4000);
  });
}

test.serial(
  'shutdown: 32 busy kept-alive connections of an HTTP client, SIGTERM -> every request is answered, not one reset; then refused',
  async (t) => {
    const gateway = await site.startGateway();
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    t.teardown(() => agent.destroy());
    const statuses = new Map<number, number>();
    const errors = new Map<string, number>();
    let refused = 0;
    const sender = async (): Promise<void> => {
      while (refused < 200) {
        const outcome = await sendWith(agent, gateway.port);
        if (typeof outcome === 'number') statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
        else if (outcome === 'ECONNREFUSED') refused += 1;
        else errors.set(outcome, (errors.get(outcome) ?? 0) + 1);
      }
    };
    const senders = Array.from({ length: 32 }, sender);
    await waitFor('500 answers', () => (statuses.get(202) ?? 0) > 500);
    t.is((await gateway.stop()).code, 0);
    await Promise.all(senders);
    t.deepEqual([...errors], []);
    t.deepEqual([...statuses.keys()], [202]);
  },
);

test.serial(
  'shutdown: SHUTDOWN_DELAY_MS=1500 -> for so long not ready and serving, also on new connections; then it ends',
  async (t) => {
    const gateway = await site.startGateway({ SHUTDOWN_DELAY_MS: '1500', SHUTDOWN_TIMEOUT_MS: '1000' });
    const startedAt = performance.now();
    const ended = gateway.stop();
    await gateway.line('shutdown.started');
    let served = 0;
    for (;;) {
      const answer = await gateway
        .send({ apiKey: site.apiKey('main'), body: newBody() })
        .catch(() => undefined);
      if (answer === undefined) break;
      t.is(answer.status, 202);
      served += 1;
      const ready = await gateway.ask('/readyz').catch(() => undefined);
      if (ready === undefined) break;
      t.is(ready.status, 503);
      t.is(ready.json['status'], 'shutting_down');
    }
    t.true(served > 5, `${served} served`);
    t.true(performance.now() - startedAt >= 1500);
    t.is((await ended).code, 0);
  },
);

test.serial(
  'shutdown: a request in flight when it begins to end -> its answer says Connection: close',
  async (t) => {
    const proxy = await startTcpProxy(RABBITMQ_URL);
    t.teardown(() => proxy.close());
    const gateway = await site.startGateway({ RABBITMQ_URL: proxy.url, PUBLISH_TIMEOUT_MS: '5000' });
    const raw = await connectRaw(gateway.port);
    await firstHeartbeat(gateway);
    proxy.stallAnswers();
    raw.socket.write(rawRequest('slow'));
    await waitFor('a message in flight', async () =>
      (await gateway.ask('/metrics')).text.includes('sms_publish_in_flight 1'),
    );
    const ended = gateway.stop();
    await waitFor('no new connections', () =>
      connectRaw(gateway.port).then(
        () => false,
        () => true,
      ),
    );
    proxy.resume();
    const [answer] = splitAnswers(await raw.closed, [{ method: 'POST', path: SEND_PATH }]);
    t.is(answer?.status, 202);
    t.regex(String(answer?.head), /^connection: close$/im);
    t.is((await ended).code, 0);
  },
);

/** Sends a message through a client's pool; returns the status, or the error's code. */
function sendWith(agent: Agent, port: number): Promise<number | string> {
  const body = JSON.stringify(newBody());
  return new Promise((resolve) => {
    const headers = { 'API-Key': site.apiKey('pooled'), 'Content-Type': 'application/json' };
    const outgoing = request(
      { agent, host: '127.0.0.1', port, path: SEND_PATH, method: 'POST', headers },
      (incoming) => {
        incoming.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0));
      },
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    outgoing.end(body);
  });
}
