import { randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { SEND_PATH } from '../support/paths.js';
import { newBody, Site, sha256 } from '../support/site.js';

const site = new Site({
  clients: { main: {}, 'Financial Service': { daily_quota: 2 }, off: { is_active: false } },
});
const gateway = await site.startGateway();

test.after.always(() => site.close());

test('metrics: the names of the specification -> there from the start, with their types and labels', async (t) => {
  const page = await scrape(gateway);
  t.is(page.typeOf('sms_providers_config_total'), 'gauge');
  t.is(page.value('sms_providers_config_total'), 4);
  const flags = { Alpha: [1, 1], Beta: [1, 1], Gamma: [0, 1], Delta: [1, 0] } as const;
  for (const [provider, [active, operational]] of Object.entries(flags)) {
    t.is(page.value('sms_provider_active', { provider }), active);
    t.is(page.value('sms_provider_operational', { provider }), operational);
  }
  t.is(page.typeOf('sms_provider_active'), 'gauge');
  t.is(page.typeOf('sms_provider_operational'), 'gauge');
  for (const name of [
    'sms_request_rejected_unknown_provider_total',
    'sms_request_rejected_provider_disabled_total',
    'sms_request_rejected_no_provider_available_total',
    'sms_config_fingerprint_mismatch_total',
  ]) {
    t.is(page.typeOf(name), 'counter');
  }
  t.regex(page.text, /^sms_config_fingerprint_mismatch_total\{kind="clients"\} 0$/m);
  t.regex(page.text, /^sms_config_fingerprint_mismatch_total\{kind="providers"\} 0$/m);
});

test('metrics: those that the design adds -> there, with their types', async (t) => {
  await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
  const page = await scrape(gateway);
  const types = {
    sms_send_requests_total: 'counter',
    sms_send_request_duration_seconds: 'summary',
    sms_send_request_time_seconds: 'histogram',
    sms_publish_total: 'counter',
    sms_publish_in_flight: 'gauge',
    sms_idempotency_total: 'counter',
    process_cpu_seconds_total: 'counter',
    process_resident_memory_bytes: 'gauge',
    nodejs_eventloop_lag_seconds: 'gauge',
    nodejs_heap_size_used_bytes: 'gauge',
  };
  t.deepEqual(Object.fromEntries(Object.keys(types).map((name) => [name, page.typeOf(name)])), types);
  t.regex(page.text, /^sms_send_request_duration_seconds\{quantile="0\.99"\} /m);
});

test('metrics: each request -> observed in the summary and in the histogram alike', async (t) => {
  await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
  const page = await scrape(gateway);
  const observed = page.value('sms_send_request_duration_seconds_count');
  t.true(observed >= 1);
  t.is(page.value('sms_send_request_time_seconds_count'), observed);
  t.is(page.value('sms_send_request_time_seconds_bucket', { le: '+Inf' }), observed);
});

test('metrics: what the process is -> version and commit, and its queues', async (t) => {
  const { text } = await scrape(gateway);
  t.regex(text, /^sms_build_info\{version="\d+\.\d+\.\d+[^"]*",commit="[0-9a-z-]+",node="v\d+[^"]*"\} 1$/m);
  for (const [part, queue] of [
    ['outbound', site.outboundQueue],
    ['dead_letters', `${site.outboundQueue}.dead`],
    ['heartbeat', site.heartbeatQueue],
  ]) {
    t.true(text.includes(`sms_queue_info{part="${part}",queue="${queue}",vhost="/"} 1\n`), part);
  }
});

test('metrics: the answer -> 200 in the text format of Prometheus', async (t) => {
  const { status, headers, text } = await gateway.ask('/metrics');
  t.is(status, 200);
  t.regex(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  t.true(text.endsWith('\n'));
});

test('metrics: requests of a client -> counted by its name and outcome; latency observed for each', async (t) => {
  const client = 'Financial Service';
  const apiKey = site.apiKey(client);
  const before = await scrape(gateway);
  const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
  await gateway.send(request);
  await gateway.send(request);
  await gateway.send({ apiKey, body: newBody() });
  await gateway.send({ apiKey, body: newBody() });
  await gateway.send({ apiKey, body: {} });
  await gateway.send({ apiKey, body: { ...newBody(), providers: ['Omega'] } });
  await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma'] } });

  const page = await scrape(gateway);
  const outcomes = {
    accepted: 2,
    replayed: 1,
    too_many_requests: 1,
    invalid_payload: 1,
    unknown_provider: 1,
    provider_disabled: 1,
  };
  for (const [outcome, count] of Object.entries(outcomes)) {
    t.is(page.value('sms_send_requests_total', { client, outcome }), count, outcome);
  }
  const observed = 'sms_send_request_duration_seconds_count';
  t.true(page.value(observed) - before.value(observed) >= 7);
});

test('metrics: requests with an unknown API key -> counted, without a label that the sender chose', async (t) => {
  await gateway.send({ apiKey: 'chosen-by-the-sender', body: newBody() });
  const page = await scrape(gateway);
  t.true(page.value('sms_send_requests_total', { client: 'unknown', outcome: 'unauthorized' }) >= 1);
  t.false(page.text.includes('chosen-by-the-sender'));
});

test('metrics: an unknown provider by name -> no label of that name', async (t) => {
  await gateway.send({ apiKey: site.apiKey('main'), body: { ...newBody(), providers: ['chosen-name'] } });
  t.false((await scrape(gateway)).text.includes('chosen-name'));
});

test('metrics: messages confirmed -> counted; none in flight when all are answered', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  for (let i = 0; i < 3; i += 1) await asked.send({ apiKey: own.apiKey('main'), body: newBody() });
  const page = await scrape(asked);
  t.is(page.value('sms_publish_total', { kind: 'sms', outcome: 'confirmed' }), 3);
  t.is(page.value('sms_publish_in_flight'), 0);
  t.is(page.value('sms_send_requests_total', { client: 'main', outcome: 'accepted' }), 3);
});

test('metrics: the page -> no API key on it; both fingerprints are', async (t) => {
  await gateway.send({ apiKey: site.apiKey('off'), body: newBody() });
  const { text } = await scrape(gateway);
  for (const client of ['main', 'Financial Service', 'off']) t.false(text.includes(site.apiKey(client)));
  t.true(text.includes(sha256(site.variables.CLIENT_CONFIG)));
  t.true(text.includes(sha256(site.variables.PROVIDERS_CONFIG)));
});

test('metrics: requests for other paths -> not counted as send requests', async (t) => {
  const own = new Site();
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  await asked.ask('/nothing');
  await asked.ask(SEND_PATH);
  t.is((await scrape(asked)).value('sms_send_request_duration_seconds_count'), 0);
});
