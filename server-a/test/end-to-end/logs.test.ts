import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: { main: {}, inactive: { is_active: false } },
  variables: { SERVICE_NAME: 'gateway-of-the-tests', LOG_LEVEL: 'trace' },
});
const gateway = await site.startGateway();
const apiKey = site.apiKey('main');

// The site looks at every line of every gateway as it closes: form, and secrets.
test.after.always(() => site.close());

test('logs: an accepted request -> one line, with tracking id, masked API key, outcome and status', async (t) => {
  const { json } = await gateway.send({ apiKey, body: newBody() });
  const line = await gateway.lineOf(json['tracking_id']);
  t.is(line['service'], 'gateway-of-the-tests');
  t.is(line['level'], 'info');
  t.is(line['outcome'], 'accepted');
  t.is(line['status'], 202);
  t.is(line['client'], 'main');
  t.is(typeof line['duration_ms'], 'number');
  const masked = String(line['client_api_key']);
  t.true(masked.includes('*'));
  const shown = masked.replaceAll('*', '');
  t.true(shown.length >= 1 && shown.length <= apiKey.length / 2 && apiKey.startsWith(shown));
  t.is(gateway.log.filter((other) => other['tracking_id'] === json['tracking_id']).length, 1);
});

test('logs: 50 requests -> 50 lines', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => gateway.send({ apiKey, body: newBody() })),
  );
  for (const { json } of answers) await gateway.lineOf(json['tracking_id']);
  for (const { json } of answers) {
    t.is(gateway.log.filter((line) => line['tracking_id'] === json['tracking_id']).length, 1);
  }
});

test('logs: a replay -> a line with the tracking id and the outcome replayed', async (t) => {
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  const { json } = await gateway.send(request);
  await gateway.send(request);
  const line = await gateway.line(
    'request',
    (candidate) => candidate['tracking_id'] === json['tracking_id'] && candidate['outcome'] === 'replayed',
  );
  t.is(line['status'], 202);
});

test('logs: a keyed request that is refused -> a line with the tracking id of the key', async (t) => {
  const own = await site.startGateway();
  const body = { ...newBody(), providers: ['Gamma'] };
  await own.send({ apiKey, idempotencyKey: randomUUID(), body });
  const blocked = await own.line('provider_gate.blocked');
  const line = await own.line('request', ({ outcome }) => outcome === 'provider_disabled');
  t.is(typeof line['tracking_id'], 'string');
  t.is(blocked['tracking_id'], line['tracking_id']);
});

test('logs: an API key that nobody has, or of an inactive client -> a line that does not show it', async (t) => {
  const own = await site.startGateway();
  const wrong = `secret-${randomUUID()}`;
  await own.send({ apiKey: wrong, body: newBody() });
  await own.send({ apiKey: site.apiKey('inactive'), body: newBody() });
  await waitFor('two lines', () => own.log.filter((line) => line['outcome'] === 'unauthorized').length === 2);
  t.false(own.process.stdout.includes(wrong));
});

test('logs: faults and secrets in every field -> none of them in the output', async (t) => {
  const own = await site.startGateway({ LOG_LEVEL: 'trace' });
  const secret = `secret-${randomUUID()}`;
  const bodies = [
    { to: secret, text: secret, ttl_seconds: secret, providers: secret, [secret]: secret },
    `{"to":"${secret}`,
    { ...newBody(), text: `${secret}\ud800` },
  ];
  for (const body of bodies) t.is((await own.send({ apiKey, body })).status, 400);
  await own.send({ apiKey, idempotencyKey: `${secret} and a space`, body: newBody() });
  await waitFor('four lines', () => own.log.filter((line) => line['message'] === 'request').length >= 4);
  t.false(own.process.stdout.includes(secret));
  t.false(own.process.stderr.includes(secret));
});

test('logs: start and end -> gateway.started with the fingerprints, shutdown.done; nothing on stderr', async (t) => {
  const own = await site.startGateway();
  const started = await own.line('gateway.started');
  t.is(typeof started['config_fingerprint'], 'object');
  t.is((await own.stop()).code, 0);
  t.is(own.log.at(-1)?.['message'], 'shutdown.done');
  t.is(own.process.stderr, '');
});

test('logs: services with passwords in their URLs, away -> logged without the passwords', async (t) => {
  const own = await site.startGateway(
    {
      REDIS_URL: 'redis://someone:redis-password@127.0.0.1:1/0',
      RABBITMQ_URL: 'amqp://someone:amqp-password@127.0.0.1:1/',
    },
    { untilReady: false },
  );
  await own.line('redis.error');
  await own.line('rabbitmq.connect_failed');
  await own.send({ apiKey, idempotencyKey: randomUUID(), body: newBody() });
  const failed = await own.line('request', (line) => line['status'] === 500);
  t.is(failed['level'], 'error');
  const output = own.process.stdout + own.process.stderr;
  t.false(output.includes('redis-password'));
  t.false(output.includes('amqp-password'));
});

test('logs: LOG_LEVEL info -> nothing less than info; a line for a request to another path', async (t) => {
  const own = await site.startGateway({ LOG_LEVEL: 'info' });
  t.true(own.log.every((line) => line['level'] !== 'debug' && line['level'] !== 'trace'));
  await own.ask('/nothing');
  const line = await own.line('request', ({ path }) => path === '/nothing');
  t.is(line['method'], 'GET');
});

test('logs: nobody reads stdout any more -> requests are served on, and the end is orderly', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  await asked.line('rabbitmq.ready');
  asked.process.closeStdout();
  for (let i = 0; i < 5; i += 1) {
    t.is((await asked.send({ apiKey: own.apiKey('main'), body: newBody() })).status, 202);
    await delay(150);
  }
  t.is((await asked.stop()).code, 0);
});
