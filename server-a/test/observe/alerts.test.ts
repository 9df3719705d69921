/** The alerts: valid, tested by Prometheus's own tool, of metrics that exist, and each with its section of the runbook. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { parse } from 'yaml';
import { SCENES } from '../drill/scenes.js';
import { asList, asObject } from '../support/json.js';
import { anchorsIn, sectionsOf } from '../support/markdown.js';
import { unknownMetricsIn } from '../support/metric-names.js';

const ROOT = new URL('../../../', import.meta.url);
const FOLDER = fileURLToPath(new URL('observe/', ROOT));
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

const TESTS = readdirSync(new URL('observe/prometheus/tests/', ROOT)).filter((name) => name.endsWith('.yml'));
const groups = asList(asObject(parse(read('observe/prometheus/alerts.yml')))['groups']);
const rules = groups.flatMap((group) => asList(asObject(group)['rules']).map(asObject));
const names = [...new Set(rules.map((rule) => String(rule['alert'])))];
const recordings = ['expected.yml', 'recordings.yml'].flatMap((file) =>
  asList(asObject(parse(read(`observe/prometheus/${file}`)))['groups'])
    .flatMap((group) => asList(asObject(group)['rules']))
    .map(asObject),
);
/** What the alerts may ask for beside the gateway's own metrics. */
const recorded = new Set(recordings.map(({ record }) => String(record)));

/** Runs a tool in observe/. @throws with what it printed when it finds a fault */
async function run(tool: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(tool, args, { cwd: FOLDER });
  return stdout;
}

test('promtool: configuration and rules -> valid', async (t) => {
  t.regex(await run('promtool', 'check', 'config', 'prometheus/prometheus.yml'), /SUCCESS/);
});

test('amtool: configuration of Alertmanager -> valid', async (t) => {
  t.regex(await run('amtool', 'check-config', 'alertmanager/alertmanager.yml'), /SUCCESS/);
});

for (const file of TESTS) {
  test(`promtool: unit tests of the alerts, ${file} -> pass`, async (t) => {
    t.timeout(300_000);
    t.regex(await run('promtool', 'test', 'rules', `prometheus/tests/${file}`), /SUCCESS/);
  });
}

test('promtool: its order of groups -> in each file, recordings before the alerts that ask for them', (t) => {
  // Without an order promtool draws one, and an alert may be judged by what was recorded half an hour before.
  const order = ['recordings.yml', 'alerts.yml'].flatMap((file) =>
    asList(asObject(parse(read(`observe/prometheus/${file}`)))['groups']).map(
      (group) => asObject(group)['name'],
    ),
  );
  for (const file of TESTS) {
    t.deepEqual(asObject(parse(read(`observe/prometheus/tests/${file}`)))['group_eval_order'], order, file);
  }
});

test('amtool: where alerts go -> pages to the pager, warnings to those of the day, the watchdog to its switch', async (t) => {
  for (const [labels, receiver] of [
    ['severity=page', 'pager'],
    ['severity=warn', 'today'],
    ['alertname=Watchdog', 'dead-mans-switch'],
  ] as const) {
    const told = await run(
      'amtool',
      'config',
      'routes',
      'test',
      '--config.file=alertmanager/alertmanager.yml',
      labels,
    );
    t.is(told.trim(), receiver, labels);
  }
});

test('alertmanager: alerts that its inhibitions name -> exist', (t) => {
  const inhibitions = asList(asObject(parse(read('observe/alertmanager/alertmanager.yml')))['inhibit_rules']);
  const named = [...JSON.stringify(inhibitions).matchAll(/alertname=~?\\"([^"\\]+)/g)].flatMap(
    ([, alternatives = '']) => alternatives.split('|'),
  );
  t.true(named.length > 0);
  for (const name of named) t.true(names.includes(name), name);
});

test('alerts: each -> tested to fire, with what it says, and not to', (t) => {
  const cases = TESTS.flatMap((file) =>
    asList(asObject(parse(read(`observe/prometheus/tests/${file}`)))['tests']),
  )
    .flatMap((one) => asList(asObject(one)['alert_rule_test']))
    .map(asObject);
  for (const name of names) {
    const ofAlert = cases.filter(({ alertname }) => alertname === name);
    t.true(
      ofAlert.some(({ exp_alerts: expected }) => asList(expected).length > 0),
      `${name} fires`,
    );
    // The watchdog is there to fire.
    t.true(
      name === 'Watchdog' || ofAlert.some(({ exp_alerts: expected }) => asList(expected).length === 0),
      `${name} does not fire`,
    );
  }
});

test('alerts: each severity of each -> tested to fire', (t) => {
  const tests = TESTS.map((file) => read(`observe/prometheus/tests/${file}`)).join('\n');
  for (const { alert, labels } of rules) {
    const severity = String(asObject(labels)['severity']);
    t.regex(
      tests,
      new RegExp(`alertname: ${alert}\n\\s+exp_alerts:\n(?:.*\n)*?\\s+- exp_labels: .*'${severity}'`),
      `${alert} ${severity}`,
    );
  }
});

/** What a running stack cannot show within an hour or two, or only by its own tests. */
const NOT_DRILLED: Readonly<Record<string, string>> = {
  'Watchdog none': 'fires always',
  'ServerAErrorBudget warn': 'windows of three days',
  'ServerASlowAnswers warn': 'windows of six hours',
  'ServerANoTraffic warn': 'looks back for a week',
  'ServerAApiKeyStale warn': 'looks back for a week',
  'ServerAClientOverShare warn':
    'needs a client that fills MAX_IN_FLIGHT: test/end-to-end/fair-shares.test.ts',
  'ServerARefusalsNotStored warn': 'needs as many refusals as a client may have stored in a day',
};

test('alerts: each severity of each -> has a scene of the drill, or a reason to have none', (t) => {
  const drilled = new Set(SCENES.flatMap(({ expected }) => Object.keys(expected)));
  const all = rules.map(({ alert, labels }) => `${alert} ${asObject(labels)['severity']}`);
  const missing = [...new Set(all)].filter((key) => !drilled.has(key)).sort();
  t.deepEqual(missing, Object.keys(NOT_DRILLED).sort());
  for (const key of drilled) t.true(all.includes(key), key);
});

test('alerts and recordings: the metrics that they ask for -> exist', (t) => {
  for (const { alert, record, expr } of [...rules, ...recordings]) {
    const asked = String(expr);
    t.deepEqual(unknownMetricsIn(asked), [], String(alert ?? record));
    for (const [name] of asked.matchAll(/\bsms:[a-z0-9_:]+/g))
      t.true(recorded.has(name), `${alert ?? record}: ${name}`);
  }
});

test('alerts: severity, summary and description -> there; the runbook -> has a section, with its three parts', (t) => {
  const runbook = read('docs/runbook.md');
  const sections = new Map(sectionsOf(runbook, 'Alerts').map(({ title, text }) => [title, text]));
  const severities = new Map(
    names.map((name) => [
      name,
      ['none', 'warn', 'page'].filter((severity) =>
        rules.some(({ alert, labels }) => alert === name && asObject(labels)['severity'] === severity),
      ),
    ]),
  );
  const heading = (name: string, of = severities.get(name) ?? []): string =>
    `${name} (severity: ${of.join(' and ')}; pages: ${of.includes('page') ? 'yes' : 'no'})`;
  t.deepEqual([...sections.keys()].sort(), names.map((name) => heading(name)).sort());
  for (const [title, text] of sections) {
    for (const part of ['What it means.', 'What the senders see.', 'What to do.'])
      t.true(text.includes(`**${part}**`), title);
  }
  const anchors = anchorsIn(runbook);
  for (const { alert, annotations } of rules) {
    const { summary, description, runbook_url: url } = asObject(annotations);
    t.true(typeof summary === 'string' && typeof description === 'string');
    const [page, anchor = ''] = String(url).split('#');
    t.is(page, 'docs/runbook.md');
    t.true(anchors.has(anchor) && anchor.startsWith(`${String(alert).toLowerCase()}-`), String(url));
  }
});
