import test from 'ava';
import { asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { Outbox, onChannel } from '../support/outbox.js';
import { Site, sha256 } from '../support/site.js';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({ variables: { HEARTBEAT_INTERVAL_SECONDS: '1' } });
const gateway = await site.startGateway({ SERVICE_NAME: 'heart' });
const beats = await site.openOutbox(site.heartbeatQueue);

test.after.always(() => site.close());

test('heartbeat: at an interval -> again and again, with service, time and both fingerprints', async (t) => {
  await waitFor('three heartbeats', () => beats.received.length >= 3);
  const [first, second] = beats.received;
  const { ts, ...rest } = asObject(first?.envelope);
  t.deepEqual(rest, {
    service: 'heart',
    config_fingerprint: {
      clients: sha256(site.variables.CLIENT_CONFIG),
      providers: sha256(site.variables.PROVIDERS_CONFIG),
    },
  });
  t.regex(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const pauseMs = Date.parse(String(second?.envelope['ts'])) - Date.parse(String(ts));
  t.true(pauseMs > 700 && pauseMs < 10_000);
  t.is(first?.message.properties.contentType, 'application/json');
  t.is(first?.message.properties.appId, 'heart');
  t.true((await scrape(gateway)).value('sms_heartbeats_total', { outcome: 'sent' }) >= 3);
});

test('heartbeat: a long interval -> the first one at once', async (t) => {
  const own = new Site({ variables: { HEARTBEAT_INTERVAL_SECONDS: '86400' } });
  t.teardown(() => own.close());
  await own.startGateway();
  const received = await own.openOutbox(own.heartbeatQueue);
  await waitFor('the first heartbeat', () => received.received.length === 1);
  t.pass();
});

test('heartbeat: the broker is away -> logged as an error, again with a growing pause, and on when it is back', async (t) => {
  const own = new Site({ variables: { HEARTBEAT_INTERVAL_SECONDS: '3600' } });
  const proxy = await startTcpProxy(RABBITMQ_URL, { accepting: false });
  t.teardown(() => own.close());
  t.teardown(() => proxy.close());
  const asked = await own.startGateway({ RABBITMQ_URL: proxy.url }, { untilReady: false });
  const failures = await waitFor('two failures', () => {
    const lines = asked.log.filter((line) => line['message'] === 'heartbeat.failed');
    return lines.length >= 2 && lines;
  });
  t.true(failures.every((line) => line['level'] === 'error'));
  const [one, two] = failures.map((line) => Number(line['retry_in_ms']));
  t.true(one !== undefined && two !== undefined && two > one);
  t.true((await scrape(asked)).value('sms_heartbeats_total', { outcome: 'failed' }) >= 2);

  await proxy.accept();
  await asked.untilReady();
  const received = await Outbox.open(own.heartbeatQueue);
  t.teardown(() => received.close());
  await waitFor('a heartbeat', () => received.received.length >= 1);
});

test('heartbeat: its queue was deleted -> made anew, and heartbeats go on', async (t) => {
  const own = new Site({ variables: { HEARTBEAT_INTERVAL_SECONDS: '1' } });
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  const received = await own.openOutbox(own.heartbeatQueue);
  await received.deleteQueue();
  await asked.line('heartbeat.failed');
  await asked.line('rabbitmq.queue_missing');
  const before = received.received.length;
  await waitFor('the queue', () => onChannel((channel) => channel.checkQueue(own.heartbeatQueue)));
  await received.consume();
  await waitFor('a heartbeat', () => received.received.length > before);
  t.pass();
});
