/**
 * Orders of events that break a promise where claim, charge and refusal are steps of their own: each made with real
 * services. Whatever happens, a key has one tracking id, one unit, and no refusal over a message that is queued.
 *
 * Over 250 lines: a list, one test for each order.
 */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { firstHeartbeat } from '../support/metrics-page.js';
import { openRecord } from '../support/records.js';
import { newBody, PROVIDERS, Site } from '../support/site.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

/**
 * Limits, and so a lease of 2.9 s, that are short to wait for and long for a busy machine; lives of a year, so that no key's
 * epoch ends within a test.
 */
const QUICK = {
  REDIS_TIMEOUT_MS: '600',
  PUBLISH_TIMEOUT_MS: '1000',
  IDEMPOTENCY_TTL_SECONDS: '31536000',
};
const UNKNOWN = { accepted: 'unknown', retry: 'same_key' };
const ALL_OFF = JSON.stringify(
  Object.fromEntries(
    Object.keys(PROVIDERS).map((name) => [name, { is_active: false, is_operational: true }]),
  ),
);
const NAMES = [
  'gate',
  'absent',
  'named',
  'returned',
  'stalled',
  'night',
  'slow',
  'unsettled',
  'raised',
] as const;

const site = new Site({ clients: Object.fromEntries(NAMES.map((name) => [name, {}])), variables: QUICK });
const gateway = await site.startGateway();
const outbox = await site.openOutbox();

test.after.always(() => site.close());

const requestOf = (client: (typeof NAMES)[number], more: object = {}) => ({
  apiKey: site.apiKey(client),
  idempotencyKey: randomUUID(),
  body: { ...newBody(), ...more },
});
type Request = ReturnType<typeof requestOf>;

async function proxies(t: { teardown: (end: () => Promise<void>) => void }) {
  const [redis, rabbitmq] = await Promise.all([startTcpProxy(REDIS_URL), startTcpProxy(RABBITMQ_URL)]);
  for (const proxy of [redis, rabbitmq]) t.teardown(() => proxy.close());
  return { redis, rabbitmq, variables: { REDIS_URL: redis.url, RABBITMQ_URL: rabbitmq.url } };
}

const queued = (request: Request): Promise<unknown> =>
  waitFor('the message', async () => (await outbox.withText(request.body.text)).length > 0);

/** Leaves a key whose message is queued and whose sender was told `unknown`; returns the tracking id it was told. */
async function loseConfirm(
  doomed: Awaited<ReturnType<typeof site.startGateway>>,
  broker: TcpProxy,
  request: Request,
) {
  broker.stallAnswers();
  const answering = doomed.send(request);
  await queued(request);
  broker.cut();
  broker.resume();
  return answering;
}

/** Retries as a sender does until there is an answer that is no failure. */
const untilDecided = (request: Request, at = gateway) =>
  waitFor('a decision', async () => {
    const answer = await at.send(request);
    return answer.status !== 500 && answer;
  });

async function idsQueued(request: Request): Promise<unknown[]> {
  const messages = await outbox.withText(request.body.text);
  return [...new Set(messages.map(({ envelope }) => envelope['tracking_id']))];
}

test('a confirm is lost, then all providers are off for a moment -> no 503 over the open record; one id, one unit', async (t) => {
  const { rabbitmq, variables } = await proxies(t);
  const doomed = await site.startGateway({ RABBITMQ_URL: variables.RABBITMQ_URL });
  const off = await site.startGateway({ PROVIDERS_CONFIG: ALL_OFF });
  const request = requestOf('gate');
  const lost = await loseConfirm(doomed, rabbitmq, request);
  t.deepEqual(lost.json['details'], UNKNOWN);
  const meanwhile = await off.send(request);
  t.is(meanwhile.status, 500);
  t.deepEqual(meanwhile.json['details'], UNKNOWN);
  t.is(meanwhile.json['tracking_id'], lost.json['tracking_id']);
  const answer = await untilDecided(request);
  t.is(answer.status, 202);
  t.deepEqual(await idsQueued(request), [lost.json['tracking_id']]);
  t.is(await site.used('gate'), 1);
  t.is((await off.send(request)).status, 202);
});

test('killed after the publish, and the retry meets no broker -> unknown; another body is never taken, also where it is rejected', async (t) => {
  const { rabbitmq, variables } = await proxies(t);
  const reject = { IDEMPOTENCY_MISMATCH: 'reject' };
  const doomed = await site.startGateway({ ...reject, RABBITMQ_URL: variables.RABBITMQ_URL });
  const brokerless = await site.startGateway(
    { ...reject, RABBITMQ_URL: 'amqp://127.0.0.1:1/' },
    { untilReady: false },
  );
  const rejecting = await site.startGateway(reject);
  const request = requestOf('absent');
  rabbitmq.stallAnswers();
  const unanswered = t.throwsAsync(doomed.send(request));
  await queued(request);
  await doomed.kill();
  await unanswered;
  await brokerless.line('redis.ready');
  const retried = await brokerless.send(request);
  t.is(retried.status, 500);
  t.deepEqual(retried.json['details'], UNKNOWN);
  const other = { ...request, body: newBody() };
  const refused = await waitFor('the end of the lease', async () => {
    const answer = await rejecting.send(other);
    return answer.status === 500 && answer;
  });
  t.deepEqual(refused.json['details'], UNKNOWN);
  t.is(refused.headers['idempotency-mismatch'], 'true');
  const answer = await untilDecided(request, rejecting);
  t.is(answer.status, 202);
  t.deepEqual(await idsQueued(request), [answer.json['tracking_id']]);
  t.deepEqual(await outbox.withText(other.body.text), []);
  t.is(await site.used('absent'), 1);
});

test('a confirm is lost, then the named provider is disabled, then another body is invalid -> neither refusal is stored over the message', async (t) => {
  const { rabbitmq, variables } = await proxies(t);
  const doomed = await site.startGateway({ RABBITMQ_URL: variables.RABBITMQ_URL });
  const off = await site.startGateway({ PROVIDERS_CONFIG: ALL_OFF });
  const request = requestOf('named', { providers: ['Alpha'] });
  const lost = await loseConfirm(doomed, rabbitmq, request);
  t.deepEqual(lost.json['details'], UNKNOWN);
  const disabled = await off.send(request);
  t.is(disabled.status, 500);
  t.deepEqual(disabled.json['details'], UNKNOWN);
  const invalid = await gateway.send({ ...request, body: { to: '12' } });
  t.is(invalid.status, 500);
  t.deepEqual(invalid.json['details'], UNKNOWN);
  t.is(invalid.headers['idempotency-mismatch'], 'true');
  t.is((await untilDecided(request)).json['tracking_id'], lost.json['tracking_id']);
  t.deepEqual(await idsQueued(request), [lost.json['tracking_id']]);
});

test('returned, Redis lost for longer than the lease, taken over and accepted -> the first one gives no unit back', async (t) => {
  const own = new Site({ variables: QUICK });
  t.teardown(() => own.close());
  const { redis, rabbitmq, variables } = await proxies(t);
  const first = await own.startGateway(variables);
  const second = await own.startGateway();
  const consumer = await own.openOutbox();
  await consumer.deleteQueue();
  const request = { apiKey: own.apiKey('main'), idempotencyKey: randomUUID(), body: newBody() };
  await firstHeartbeat(first);
  rabbitmq.stallAnswers();
  const answering = first.send(request);
  await waitFor('the charge', async () => (await own.used('main')) === 1);
  // Its publish has left by now, and its return waits; from here on nothing of Redis reaches it.
  await waitFor('the publish', async () =>
    (await first.ask('/metrics')).text.includes('sms_publish_in_flight 1'),
  );
  redis.stall();
  rabbitmq.resume();
  t.is((await answering).status, 500);
  const answer = await waitFor('the take-over', async () => {
    const retried = await second.send(request);
    return retried.status === 202 && retried;
  });
  redis.resume();
  await first.untilReady();
  await waitFor('nothing left to settle', async () => {
    const replayed = await first.send(request);
    return replayed.headers['idempotent-replayed'] === 'true';
  });
  await consumer.consume();
  const { envelope } = await consumer.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], answer.json['tracking_id']);
  t.is(await own.used('main'), 1);
});

test('stopped for longer than its lease before it publishes -> it publishes nothing; one id, one unit', async (t) => {
  const { redis, variables } = await proxies(t);
  const stalled = await site.startGateway({ REDIS_URL: variables.REDIS_URL, REDIS_TIMEOUT_MS: '2000' });
  const request = requestOf('stalled');
  redis.stallAnswers();
  const answering = stalled.send(request);
  await waitFor('the charge', async () => (await site.used('stalled')) === 1);
  stalled.process.signal('SIGSTOP');
  redis.resume();
  const answer = await waitFor('the take-over', async () => {
    const retried = await gateway.send(request);
    return retried.status === 202 && retried;
  });
  stalled.process.signal('SIGCONT');
  const late = await answering;
  // Its time is over: it says what stands under the key, if Redis tells it at once.
  if (late.status === 202) t.is(late.json['tracking_id'], answer.json['tracking_id']);
  else t.deepEqual(late.json['details'], UNKNOWN);
  const { envelope } = await outbox.theOneWithText(request.body.text);
  t.is(envelope['tracking_id'], answer.json['tracking_id']);
  t.is(await site.used('stalled'), 1);
});

test("killed yesterday, asked again today -> the unit of yesterday is the record's own; nothing more is charged", async (t) => {
  const request = requestOf('night');
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const id = randomUUID();
  const today = new Date().toISOString().slice(0, 10);
  const record = openRecord(id, request.body, Date.now() - 60_000).replace(today, yesterday);
  await site.redis.set(site.recordKey('night', request.idempotencyKey), record, 'EX', 600);
  await site.redis.set(site.counterKey('night').replace(today, yesterday), '1', 'EX', 600);
  const answer = await gateway.send(request);
  t.is(answer.status, 202);
  t.is(answer.json['tracking_id'], id);
  t.is(await site.used('night'), 1);
});

test('a twin of a killed request, Redis slow -> each answer within 3.1 s, and in the end one id and one unit', async (t) => {
  const { rabbitmq, variables } = await proxies(t);
  const doomed = await site.startGateway({
    RABBITMQ_URL: variables.RABBITMQ_URL,
    PUBLISH_TIMEOUT_MS: '1200',
  });
  const { redis: slow, variables: slowly } = await proxies(t);
  const twin = await site.startGateway({ REDIS_URL: slowly.REDIS_URL, REDIS_TIMEOUT_MS: '1000' });
  slow.delay(200);
  const request = requestOf('slow');
  rabbitmq.stallAnswers();
  const unanswered = t.throwsAsync(doomed.send(request));
  await queued(request);
  await doomed.kill();
  await unanswered;
  const took: number[] = [];
  const answer = await waitFor('a decision', async () => {
    const retried = await twin.send(request);
    took.push(retried.tookMs);
    return retried.status === 202 && retried;
  });
  t.true(Math.max(...took) < 3100, `${Math.max(...took)} ms`);
  t.deepEqual(await idsQueued(request), [answer.json['tracking_id']]);
  t.is(await site.used('slow'), 1);
});

test('shut down while writes to Redis wait -> one line for each that is given up, with its tracking id and client', async (t) => {
  const { redis, rabbitmq, variables } = await proxies(t);
  const ending = await site.startGateway(variables);
  const request = requestOf('unsettled');
  rabbitmq.stallAnswers();
  const answering = ending.send(request);
  await queued(request);
  redis.stall();
  rabbitmq.cut();
  const lost = await answering;
  t.deepEqual(lost.json['details'], UNKNOWN);
  const { code } = await ending.stop();
  t.is(code, 0);
  const line = await ending.line('settlement.failed');
  t.is(line['kind'], 'unknown');
  t.is(line['tracking_id'], lost.json['tracking_id']);
  t.is(line['client'], 'unsettled');
  t.is((await ending.line('shutdown.done'))['settlements_given_up'], 1);
});

test('the quota is raised -> in force within a minute also for a key that was told 429', async (t) => {
  const tight = await site.startGateway({ CLIENT_CONFIG: withQuota('raised', 0) });
  const request = requestOf('raised');
  t.is((await tight.send(request)).status, 429);
  const replayed = await tight.send(request);
  t.is(replayed.status, 429);
  t.is(replayed.headers['idempotent-replayed'], 'true');
  // To midnight, not to the end of the record.
  t.true(Number(replayed.headers['retry-after']) <= 86_400);
  const record = site.recordKey('raised', request.idempotencyKey);
  const lifeMs = await site.redis.pttl(record);
  t.true(lifeMs > 0 && lifeMs <= 60_000);
  await site.redis.pexpire(record, 1);
  t.is((await untilDecided(request)).status, 202);
});

function withQuota(client: (typeof NAMES)[number], quota: number): string {
  const clients: Record<string, unknown> = JSON.parse(site.variables.CLIENT_CONFIG);
  clients[site.apiKey(client)] = { name: client, is_active: true, daily_quota: quota };
  return JSON.stringify(clients);
}
