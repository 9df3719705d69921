import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Redis } from 'ioredis';
import { startRedisServer } from '../../dev/services/redis-server.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-redis-'));
const server = await startRedisServer({ dataDir: folder, appendOnly: true });
const admin = new Redis(server.url);
admin.on('error', () => {});
const site = new Site();
/** With lives of a year, so that no key's epoch ends within a test. */
const gateway = await site.startGateway({ REDIS_URL: server.url, IDEMPOTENCY_TTL_SECONDS: '31536000' });
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(async () => {
  await site.close();
  admin.disconnect();
  await server.kill();
  await rm(folder, { recursive: true, force: true });
});

const untilAccepted = (request: Parameters<typeof gateway.send>[0]) =>
  waitFor('a 202', async () => {
    const answer = await gateway.send(request);
    return answer.status === 202 && answer;
  });

test.serial('redis: its scripts were flushed -> requests go on', async (t) => {
  await admin.script('FLUSH');
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => gateway.send({ apiKey, idempotencyKey: randomUUID(), body: newBody() })),
  );
  t.true(answers.every(({ status }) => status === 202));
});

for (const [what, setting, bad, good] of [
  ['out of memory', 'maxmemory', '1', '0'],
  ['a master that has lost the replica it must have', 'min-replicas-to-write', '1', '0'],
] as const) {
  test.serial(`redis: ${what} -> 500 and nothing sent; then as before`, async (t) => {
    const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
    await admin.config('SET', setting, bad);
    for (const asked of [request, { apiKey, body: newBody() }]) {
      const failed = await gateway.send(asked);
      t.is(failed.status, 500);
      t.deepEqual(failed.json['details'], { accepted: 'no', retry: 'same_key' });
      t.notRegex(failed.text, /OOM|memory|NOREPLICAS/i);
      t.deepEqual(await outbox.withText(asked.body.text), []);
    }
    const unready = await gateway.ask('/readyz');
    t.is(unready.status, 503);
    t.deepEqual(unready.json['checks'], { redis: 'refuses writes', rabbitmq: 'ok' });
    await admin.config('SET', setting, good);
    t.is((await gateway.ask('/readyz')).status, 200);
    t.is((await gateway.send(request)).status, 202);
  });
}

test.serial('redis: a replica that takes no writes -> 500 and nothing sent; then as before', async (t) => {
  const body = newBody();
  await admin.replicaof('127.0.0.1', '1');
  t.is((await gateway.send({ apiKey, body })).status, 500);
  t.deepEqual(await outbox.withText(body.text), []);
  await admin.replicaof('NO', 'ONE');
  t.is((await gateway.send({ apiKey, body })).status, 202);
});

test.serial(
  'redis: killed and started again -> answers and counters are still there, requests go on',
  async (t) => {
    const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
    const first = await gateway.send(request);
    t.is(first.status, 202);
    await server.stop();
    const unready = await waitFor('not ready', async () => {
      const answer = await gateway.ask('/readyz');
      return answer.status === 503 && answer;
    });
    t.regex(unready.text, /"rabbitmq":"ok"/);
    t.is((await gateway.send({ apiKey, body: newBody() })).status, 500);

    await server.start();
    await gateway.untilReady();
    const again = await gateway.send(request);
    t.is(again.headers['idempotent-replayed'], 'true');
    t.deepEqual(again.bytes, first.bytes);
    t.is((await gateway.send({ apiKey, body: newBody() })).status, 202);
  },
);

test.serial(
  'redis: frozen within a load -> each answer is 202 or 500 within 3 s; then as before',
  async (t) => {
    server.freeze();
    const answers = await Promise.all(
      Array.from({ length: 30 }, () =>
        gateway.send({ apiKey, idempotencyKey: randomUUID(), body: newBody() }),
      ),
    );
    server.resume();
    t.true(answers.every(({ status }) => status === 500));
    t.true(answers.every(({ tookMs }) => tookMs < 3000));
    await gateway.untilReady();
    await untilAccepted({ apiKey, body: newBody() });
  },
);

test.serial(
  'redis: frozen for longer than a connection lasts -> the log says so in plain words',
  async (t) => {
    await gateway.untilReady();
    const errors = () =>
      gateway.log
        .filter(({ message }) => message === 'redis.error')
        .map((line) => JSON.stringify(line['err']));
    const before = errors().length;
    server.freeze();
    t.teardown(() => server.resume());
    // It is silence that is noticed, so there has to be a question.
    await gateway.send({ apiKey, body: newBody() });
    await waitFor(
      'a second connection that ends',
      () =>
        errors()
          .slice(before)
          .some((line) => line.includes('before Redis had answered')),
      { withinMs: 40_000 },
    );
    server.resume();
    await gateway.untilReady();
    t.notRegex(errors().join('\n'), /writeable|OfflineQueue/i);
  },
);

test.serial('redis: frozen, then thawed -> what timed out is neither charged nor left claimed', async (t) => {
  await gateway.untilReady();
  const used = async () => Number(await admin.get(site.counterKey('main')));
  const before = await used();
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  server.freeze();
  const failed = await Promise.all([gateway.send(request), gateway.send({ apiKey, body: newBody() })]);
  t.true(failed.every(({ status }) => status === 500));
  server.resume();
  await gateway.untilReady();
  t.is(await used(), before);
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.headers['idempotent-replayed'], undefined);
  t.true(answer.tookMs < 1500);
  await outbox.theOneWithText(request.body.text);
  t.is(await used(), before + 1);
});

test.serial('redis: emptied under load -> every key asked again keeps its tracking id', async (t) => {
  const requests = Array.from({ length: 100 }, () => ({
    apiKey,
    idempotencyKey: randomUUID(),
    body: newBody(),
  }));
  const sending = Promise.all(requests.map((request) => gateway.send(request)));
  await admin.flushall();
  const first = await sending;
  await admin.flushall();
  const again = await Promise.all(requests.map((request) => untilAccepted(request)));
  t.true(again.every(({ status }) => status === 202));
  await outbox.settled();
  for (const [n, { body }] of requests.entries()) {
    const messages = await outbox.withText(body.text);
    const ids = new Set([
      first[n]?.json['tracking_id'] ?? again[n]?.json['tracking_id'],
      again[n]?.json['tracking_id'],
    ]);
    for (const { envelope } of messages) ids.add(String(envelope['tracking_id']));
    t.is(ids.size, 1, [...ids].join(', '));
  }
});

test.serial(
  'redis: emptied between two epochs of a key -> a second tracking id, as documented',
  async (t) => {
    const lived = await site.startGateway({ REDIS_URL: server.url, IDEMPOTENCY_TTL_SECONDS: '2' });
    const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
    const first = await lived.send(request);
    t.is(first.status, 202);
    const second = await waitFor('the next epoch', async () => {
      await admin.flushall();
      const answer = await lived.send(request);
      t.is(answer.status, 202);
      return answer.json['tracking_id'] !== first.json['tracking_id'] && answer;
    });
    await outbox.settled();
    t.truthy(second);
  },
);
