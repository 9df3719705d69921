/** The dashboard: sound by itself, and each panel's query answered by a real Prometheus on a loaded gateway. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { DASHBOARD, PANELS, withVariables } from '../support/dashboard.js';
import { asList, asObject } from '../support/json.js';
import { unknownMetricsIn } from '../support/metric-names.js';
import { Prometheus } from '../support/prometheus.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

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

test('dashboard: metrics that it names -> exist', (t) => {
  for (const { title, queries } of PANELS) {
    for (const { expression } of queries) t.deepEqual(unknownMetricsIn(expression), [], title);
  }
});

test('dashboard: every query, asked of a Prometheus that watches a loaded gateway -> an answer, with the labels of its legend', async (t) => {
  t.timeout(90_000);
  const site = new Site({
    clients: { main: {}, none: { daily_quota: 0 } },
    variables: { HEARTBEAT_INTERVAL_SECONDS: '1' },
  });
  t.teardown(() => site.close());
  const gateway = await site.startGateway();
  const unprovided = await site.startGateway({ PROVIDERS_CONFIG: '{}' });
  const prometheus = await Prometheus.start([`127.0.0.1:${gateway.port}`, `127.0.0.1:${unprovided.port}`]);
  t.teardown(() => prometheus.stop());

  let done = false;
  const [apiKey, none] = [site.apiKey('main'), site.apiKey('none')];
  const load = (async () => {
    while (!done) {
      const request = { apiKey, idempotencyKey: randomUUID(), body: newBody() };
      await Promise.all([gateway.send(request), gateway.send(request)]);
      await gateway.send({ ...request, body: newBody() });
      await gateway.send({ apiKey: none, body: newBody() });
      await gateway.send({ apiKey, body: {} });
      await gateway.send({ apiKey, body: { ...newBody(), providers: ['Gamma', 'Delta'] } });
      await gateway.send({ apiKey, body: { ...newBody(), providers: ['Omega'] } });
      await unprovided.send({ apiKey, body: newBody() });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const unanswered = new Map(
    PANELS.flatMap(({ title, queries }) =>
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
    { withinMs: 45_000, everyMs: 500 },
  );
  done = true;
  await load;
});
