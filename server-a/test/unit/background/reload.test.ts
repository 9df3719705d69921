import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ConfigReload } from '../../../src/background/reload.js';
import { ConfigError } from '../../../src/config/faults.js';
import type { Config } from '../../../src/config/load.js';
import type { RegistryHolder } from '../../../src/config/registry.js';
import { RenewableTls } from '../../../src/connection/tls-context.js';
import { createMetrics } from '../../../src/metrics.js';
import { configOf } from '../../support/configs.js';
import { logInto } from '../../support/log-into.js';
import { MetricsPage } from '../../support/metrics-page.js';
import { waitFor } from '../../support/wait-for.js';

const ONE = configOf({ 'key-of-client-one': { name: 'One' } });
const TWO = configOf({ 'key-of-client-two': { name: 'Two' } });

/** A reload that reads what `next.read` says. */
function reloading(t: ExecutionContext, started: Config) {
  const metrics = createMetrics();
  const { log, lines } = logInto('info');
  const registry: RegistryHolder = { current: started.registry };
  const next = { read: (): Config => started };
  let changes = 0;
  const reload = new ConfigReload({
    started,
    read: () => next.read(),
    registry,
    tls: { redis: new RenewableTls({}), rabbitmq: new RenewableTls({}) },
    metrics,
    log,
    onChange: () => {
      changes += 1;
    },
    lookEveryMs: 20,
  });
  t.teardown(() => reload.stop());
  return {
    reload,
    next,
    registry,
    events: () => lines.map(({ message }) => message),
    lines,
    changes: () => changes,
    page: async () => new MetricsPage(await metrics.registry.metrics()),
  };
}

test('reload: other clients -> in force, told of, counted', async (t) => {
  const { reload, next, registry, events, changes, page } = reloading(t, ONE);
  next.read = () => TWO;
  reload.reload('signal');
  t.is(registry.current, TWO.registry);
  t.is(changes(), 1);
  t.deepEqual(events(), ['config.reloaded', 'config.loaded']);
  const metrics = await page();
  t.is(metrics.value('sms_config_reloads_total', { outcome: 'applied' }), 1);
  t.is(metrics.value('sms_config_info', { ...TWO.registry.fingerprints }), 1);
  t.is(metrics.value('sms_config_info', { ...ONE.registry.fingerprints }), 0);
});

test('reload: the same texts -> nothing changes, nobody is told', async (t) => {
  const { reload, registry, events, changes, page } = reloading(t, ONE);
  reload.reload('signal');
  t.is(registry.current, ONE.registry);
  t.is(changes(), 0);
  t.deepEqual(events(), ['config.unchanged']);
  t.is((await page()).value('sms_config_reloads_total', { outcome: 'unchanged' }), 1);
});

test('reload: a faulty configuration -> refused with its faults, the last good one stays; good again -> said so', async (t) => {
  const { reload, next, registry, lines, changes, page } = reloading(t, ONE);
  const fault = { variable: 'CLIENT_CONFIG', path: '', message: 'must be valid JSON' };
  next.read = () => {
    throw new ConfigError([fault]);
  };
  reload.reload('file');
  t.is(registry.current, ONE.registry);
  t.is(changes(), 0);
  t.like(lines[0], {
    level: 'error',
    message: 'config.reload_refused',
    trigger: 'file',
    faults: [fault],
  });
  t.is((await page()).value('sms_config_last_reload_successful'), 0);
  next.read = () => ONE;
  reload.reload('file');
  t.is((await page()).value('sms_config_last_reload_successful'), 1);
});

test('reload: a variable that is read at the start only -> named, and its old value stays in force', (t) => {
  const { reload, next, lines, registry } = reloading(t, ONE);
  next.read = () => ({ ...TWO, env: { ...TWO.env, REDIS_TIMEOUT_MS: 700, SERVICE_NAME: 'other' } });
  reload.reload('signal');
  t.like(lines[0], {
    level: 'warn',
    message: 'config.restart_needed',
    variables: ['SERVICE_NAME', 'REDIS_TIMEOUT_MS'],
  });
  t.is(registry.current, TWO.registry);
});

test('reload: a watched file changes -> read anew, without a signal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-test-reload-'));
  const file = join(folder, 'clients.json');
  writeFileSync(file, '1');
  const { next, registry, lines } = reloading(t, { ...ONE, registryFiles: [file] });
  t.teardown(() => rmSync(folder, { recursive: true }));
  next.read = () => TWO;
  let size = 1;
  await waitFor(
    'the new clients',
    () => {
      // Again and again: what changes before Node.js has looked at the file for the first time is no change to it.
      size += 1;
      writeFileSync(file, 'x'.repeat(size));
      return registry.current === TWO.registry;
    },
    { everyMs: 400 },
  );
  t.is(lines[0]?.['trigger'], 'file');
});
