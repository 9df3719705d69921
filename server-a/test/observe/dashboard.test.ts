/** The dashboard: sound by itself, and each panel's query answered by a real Prometheus on a loaded gateway. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { itemsOf } from '../support/batches.js';
import { Authority } from '../support/certificates.js';
import { ANNOTATIONS, DASHBOARD, PANELS, withVariables } from '../support/dashboard.js';
import { asList, asObject } from '../support/json.js';
import { anchorsIn } from '../support/markdown.js';
import { unknownMetricsIn } from '../support/metric-names.js';
import { Prometheus } from '../support/prometheus.js';
import { connectRaw } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';
import { startWatchedServices } from '../support/watched-services.js';

const folder = await mkdtemp(join(tmpdir(), 'gateway-test-dashboard-'));
test.after.always(() => rm(folder, { recursive: true, force: true }));

const OBSERVE = new URL('../../../observe/', import.meta.url);
const readYaml = (path: string) => asObject(parse(readFileSync(new URL(path, OBSERVE), 'utf8')));

test('dashboard: its datasource -> the one that is provisioned', (t) => {
  const [datasource] = asList(readYaml('grafana/provisioning/datasources/prometheus.yml')['datasources']).map(
    asObject,
  );
  const named = new Set(
    [...JSON.stringify(DASHBOARD).matchAll(/"datasource":\{"type":"(\w+)","uid":"(\w+)"\}/g)].map(
      ([, type, uid]) => `${type} ${uid}`,
    ),
  );
  t.deepEqual([...named], [`${datasource?.['type']} ${datasource?.['uid']}`]);
});

test('dashboard: panels -> ids of their own, titles and descriptions, none on top of another', (t) => {
  const all = asList(DASHBOARD['panels']).map(asObject);
  t.is(new Set(all.map(({ id }) => id)).size, all.length);
  t.is(new Set(all.map(({ title }) => title)).size, all.length);
  const taken = new Map<string, unknown>();
  for (const { title, gridPos, type, description } of all) {
    t.true(type === 'row' || (typeof description === 'string' && description.length > 10), String(title));
    const { x, y, w, h } = asObject(gridPos);
    for (let column = Number(x); column < Number(x) + Number(w); column += 1) {
      t.true(column < 24, `${title} is too wide`);
      for (let line = Number(y); line < Number(y) + Number(h); line += 1) {
        t.is(taken.get(`${column},${line}`), undefined, `${title} lies on ${taken.get(`${column},${line}`)}`);
        taken.set(`${column},${line}`, title);
      }
    }
  }
});

test('dashboard: what is to be watched -> has a panel: each metric of ours but the constant ones', (t) => {
  const asked = PANELS.flatMap(({ queries }) => queries.map(({ expression }) => expression)).join(' ');
  for (const metric of [
    'sms_send_requests_total',
    'sms_send_request_duration_seconds',
    'sms_send_request_time_seconds_bucket',
    'sms_heartbeat_last_sent_timestamp_seconds',
    'sms_build_info',
    'sms_tls_certificate_expiry_timestamp_seconds',
    'sms:queue_messages',
    'sms:queue_consumers',
    'sms:queue_messages_older_than_5m',
    'redis_memory_used_bytes',
    'rabbitmq_disk_space_available_bytes',
    'sms_api_key_last_used_timestamp_seconds',
    'sms_request_throttled_total',
    'sms_request_over_share_total',
    'sms_request_refusal_not_stored_total',
    'sms_batch_items_sum',
    'sms_http_connections',
    'sms_http_connections_limit',
    'sms_http_connections_dropped_total',
    'sms_http_refusals_total',
    'sms_quota_used',
    'sms_quota_limit',
    'sms_request_rejected_provider_disabled_total',
    'sms_request_rejected_unknown_provider_total',
    'sms_request_rejected_no_provider_available_total',
    'sms_provider_active',
    'sms_provider_operational',
    'sms_idempotency_total',
    'sms_publish_total',
    'sms_publish_confirm_duration_seconds_bucket',
    'sms_publish_in_flight',
    'sms_publish_in_flight_limit',
    'sms_dependency_ready',
    'sms_rabbitmq_blocked',
    'sms_heartbeats_total',
    'sms_config_info',
    'sms_config_reloads_total',
    'nodejs_eventloop_lag_p99_seconds',
    'process_resident_memory_bytes',
  ]) {
    t.regex(asked, new RegExp(`\\b${metric}\\b`));
  }
});

test('dashboard: a name of a series -> one colour in all panels', (t) => {
  const colours = new Map<string, Set<string>>();
  for (const { json } of PANELS) {
    for (const override of asList(asObject(json['fieldConfig'])['overrides']).map(asObject)) {
      const name = String(asObject(override['matcher'])['options']);
      const colour = asList(override['properties'])
        .map(asObject)
        .find(({ id }) => id === 'color');
      if (colour !== undefined) {
        const fixed = String(asObject(colour['value'])['fixedColor']);
        colours.set(name, (colours.get(name) ?? new Set()).add(fixed));
      }
    }
  }
  t.true(colours.size > 10);
  for (const [name, of] of colours) t.is(of.size, 1, `${name}: ${[...of].join(', ')}`);
});

test('dashboard: its first row -> what fires, who answers, what goes wrong, what waits', (t) => {
  const [row, ...panels] = asList(DASHBOARD['panels']).map(asObject);
  t.is(row?.['title'], 'Is it well?');
  const next = panels.findIndex(({ type }) => type === 'row');
  const titles = panels.slice(0, next).map(({ title }) => title);
  for (const title of [
    'Pages',
    'Replicas that answer',
    'Errors',
    'Messages that wait',
    'Consumers',
    'Dead letters',
  ]) {
    t.true(titles.includes(title), title);
  }
});

test('dashboard: links to the runbook -> lead to a section of it', (t) => {
  const anchors = anchorsIn(readFileSync(new URL('../docs/runbook.md', OBSERVE), 'utf8'));
  const links = PANELS.flatMap(({ json }) =>
    asList(json['links']).map((link) => String(asObject(link)['url'])),
  );
  t.true(links.length > 20);
  for (const link of links) {
    const [page, anchor = ''] = link.split('#');
    t.is(page, '$' + '{runbook}');
    t.true(anchors.has(anchor), link);
  }
});

test('dashboard: metrics that it names -> exist', (t) => {
  for (const { title, queries } of PANELS) {
    for (const { expression } of queries) t.deepEqual(unknownMetricsIn(expression), [], title);
  }
});

test('dashboard: every query, asked of a Prometheus that watches a loaded gateway -> an answer, with the labels of its legend', async (t) => {
  t.timeout(150_000);
  const services = await startWatchedServices();
  t.teardown(services.stop);
  const site = new Site({
    clients: { main: {}, none: { daily_quota: 0 }, slow: { max_per_second: 1 }, faulty: {} },
    variables: { HEARTBEAT_INTERVAL_SECONDS: '1', RABBITMQ_URL: services.rabbitmqUrl },
  });
  t.teardown(() => site.close());
  const providers = join(folder, 'providers.json');
  await writeFile(providers, site.variables.PROVIDERS_CONFIG);
  const gateway = await site.startGateway({ PROVIDERS_CONFIG: '', PROVIDERS_CONFIG_FILE: providers });
  const authority = Authority.create(join(folder, 'authority'), 'Test authority');
  // Few slots, so that a client soon has its share of them.
  const narrow = await site.startGateway({ MAX_IN_FLIGHT: '5' });
  await site.redis.set(`refused:${site.apiKey('faulty')}`, 1_000_000, 'EX', 86_400);
  const unprovided = await site.startGateway({ PROVIDERS_CONFIG: '{}' });
  // Its Redis is not there; its certificate is.
  const broken = await site.startGateway(
    { REDIS_URL: 'rediss://127.0.0.1:1', REDIS_TLS_CA_FILE: authority.cert },
    { untilReady: false },
  );
  const consumer = await services.consume(site.outboundQueue);
  t.teardown(() => consumer.close());
  const prometheus = await Prometheus.start(
    [gateway, narrow, unprovided, broken].map(({ port }) => `127.0.0.1:${port}`),
    { ...services, rules: true },
  );
  t.teardown(() => prometheus.stop());
  await waitFor(
    'a look at the first configuration',
    async () => {
      const [first] = await prometheus.query(
        `sms_config_reloads_total{instance="127.0.0.1:${gateway.port}"}`,
      );
      return first !== undefined;
    },
    { withinMs: 60_000 },
  );
  await appendFile(providers, ' ');
  let done = false;
  const [apiKey, none] = [site.apiKey('main'), site.apiKey('none')];
  const load = (async () => {
    while (!done) {
      const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
      await Promise.all([gateway.send(request), gateway.send(request)]);
      await gateway.send({ ...request, body: newBody() });
      await gateway.send({ apiKey: none, body: newBody() });
      await gateway.send({ apiKey: site.apiKey('faulty'), idempotencyKey: randomUUID(), body: {} });
      await Promise.all(
        [...Array.from({ length: 3 }, () => 'slow'), ...Array.from({ length: 20 }, () => 'main')].map(
          (client) => narrow.send({ apiKey: site.apiKey(client), body: newBody() }),
        ),
      );
      await connectRaw(gateway.port).then(({ socket }) => socket.end('no request\r\n\r\n'));
      await gateway.sendBatch({ apiKey, body: { messages: itemsOf(3) } });
      await gateway.send({ apiKey, body: {} });
      await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma', 'Delta'] } });
      await gateway.send({ apiKey, body: { ...newBody(), providers: ['Omega'] } });
      await unprovided.send({ apiKey, body: newBody() });
      await broken.send({ apiKey, body: newBody() });
      // An error that Redis counts.
      await site.redis.call('NO-SUCH-COMMAND').catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const unanswered = new Map(
    [...PANELS, ...ANNOTATIONS].flatMap(({ title, queries }) =>
      queries.map(({ expression, legend }) => [withVariables(expression, 15), { title, legend }] as const),
    ),
  );
  await waitFor(
    'an answer to every query',
    async () => {
      for (const [expression, { title, legend }] of unanswered) {
        const series = await prometheus.query(expression);
        const numbers = series.filter(({ points }) => points.every(([, value]) => Number.isFinite(value)));
        if (numbers.length === 0) throw new Error(`${title}: no answer to ${expression}`);
        for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g)) {
          t.true(
            numbers.some(({ labels }) => label in labels),
            `${title} has no label ${label}`,
          );
        }
        unanswered.delete(expression);
      }
      return true;
    },
    { withinMs: 90_000, everyMs: 500 },
  );
  done = true;
  await load;
});
