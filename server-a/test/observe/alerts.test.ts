/** The alerts: valid, tested by Prometheus's own tool, of metrics that exist, and each with its section of the runbook. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { parse } from 'yaml';
import { asList, asObject } from '../support/json.js';
import { sectionsOf } from '../support/markdown.js';
import { unknownMetricsIn } from '../support/metric-names.js';

const ROOT = new URL('../../../', import.meta.url);
const FOLDER = fileURLToPath(new URL('observe/prometheus/', ROOT));
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

const groups = asList(asObject(parse(read('observe/prometheus/alerts.yml')))['groups']);
const rules = groups.flatMap((group) => asList(asObject(group)['rules']).map(asObject));
const names = [...new Set(rules.map((rule) => String(rule['alert'])))];

/** Runs promtool there. @throws with what it printed when it finds a fault */
async function promtool(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('promtool', args, { cwd: FOLDER });
  return stdout;
}

test('promtool: configuration and rules -> valid', async (t) => {
  t.regex(await promtool('check', 'config', 'prometheus.yml'), /SUCCESS/);
});

test('promtool: unit tests of the alerts -> pass', async (t) => {
  t.regex(await promtool('test', 'rules', 'alerts.test.yml'), /SUCCESS/);
});

test('alerts: each -> tested to fire, with what it says, and not to', (t) => {
  const cases = asList(asObject(parse(read('observe/prometheus/alerts.test.yml')))['tests'])
    .flatMap((one) => asList(asObject(one)['alert_rule_test']))
    .map(asObject);
  for (const name of names) {
    const ofAlert = cases.filter(({ alertname }) => alertname === name);
    t.true(
      ofAlert.some(({ exp_alerts: expected }) => asList(expected).length > 0),
      `${name} fires`,
    );
    t.true(
      ofAlert.some(({ exp_alerts: expected }) => asList(expected).length === 0),
      `${name} does not fire`,
    );
  }
});

test('alerts: the metrics that they ask for -> exist', (t) => {
  for (const { alert, expr } of rules) t.deepEqual(unknownMetricsIn(String(expr)), [], String(alert));
});

test('alerts: severity, summary and description -> there; the runbook -> has a section, with its three parts', (t) => {
  const sections = new Map(
    sectionsOf(read('docs/runbook.md'), 'Runbook').map(({ title, text }) => [title, text]),
  );
  t.deepEqual([...sections.keys()].sort(), [...names].sort());
  for (const text of sections.values()) {
    for (const part of ['What it means.', 'What the senders see.', 'What to do.'])
      t.true(text.includes(`**${part}**`));
  }
  for (const { alert, labels, annotations } of rules) {
    t.true(['page', 'warn'].includes(String(asObject(labels)['severity'])));
    const { summary, description, runbook_url: url } = asObject(annotations);
    t.true(typeof summary === 'string' && typeof description === 'string');
    t.is(url, `docs/runbook.md#${String(alert).toLowerCase()}`);
  }
});
