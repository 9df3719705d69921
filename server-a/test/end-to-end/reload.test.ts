import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Gateway } from '../support/gateway.js';
import { asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site, type SiteSettings, sha256 } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

/** A site whose clients and providers are in files that a test may change. */
class FileSite extends Site {
  readonly clientsFile: string;
  readonly providersFile: string;

  private constructor(settings: SiteSettings, folder: string) {
    super(settings);
    this.clientsFile = join(folder, 'clients.json');
    this.providersFile = join(folder, 'providers.json');
  }

  static async make(t: ExecutionContext, settings: SiteSettings = {}): Promise<FileSite> {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'));
    const site = new FileSite(settings, folder);
    t.teardown(async () => {
      await site.close();
      await rm(folder, { recursive: true });
    });
    await writeFile(site.clientsFile, site.variables.CLIENT_CONFIG);
    await writeFile(site.providersFile, site.variables.PROVIDERS_CONFIG);
    return site;
  }

  start(): Promise<Gateway> {
    return this.startGateway({
      CLIENT_CONFIG: '',
      PROVIDERS_CONFIG: '',
      CLIENT_CONFIG_FILE: this.clientsFile,
      PROVIDERS_CONFIG_FILE: this.providersFile,
    });
  }

  /** CLIENT_CONFIG with the main client changed, as text. */
  clientsWith(change: Readonly<Record<string, unknown>>): string {
    const main = { name: 'main', is_active: true, daily_quota: 1_000_000, ...change };
    return JSON.stringify({ [this.apiKey('main')]: main });
  }

  send(gateway: Gateway, providers?: readonly string[]) {
    return gateway.send({
      apiKey: this.apiKey('main'),
      body: { ...newBody(), ...(providers && { providers }) },
    });
  }
}

const ALL_OFF = JSON.stringify({ Alpha: { is_active: false, is_operational: true } });

test('reload: a changed file -> in force by itself; fingerprints, gauges, log and heartbeat follow', async (t) => {
  const site = await FileSite.make(t);
  const gateway = await site.start();
  const beats = await site.openOutbox(site.heartbeatQueue);
  await waitFor('the first heartbeat', () => beats.received.length >= 1);
  t.is((await site.send(gateway, ['Alpha'])).status, 202);

  await writeFile(site.providersFile, ALL_OFF);
  const line = await gateway.line('config.reloaded');
  t.is(line['trigger'], 'file');
  const fingerprints = { clients: sha256(site.variables.CLIENT_CONFIG), providers: sha256(ALL_OFF) };
  t.deepEqual(line['config_fingerprint'], fingerprints);
  const summaries = await waitFor('both summaries', () => {
    const found = gateway.log.filter(({ message }) => message === 'config.loaded');
    return found.length === 2 && found;
  });
  t.deepEqual(
    summaries.map(({ config }) => asObject(config)['config_fingerprint']),
    [{ ...fingerprints, providers: sha256(site.variables.PROVIDERS_CONFIG) }, fingerprints],
  );
  await gateway.line('config.warnings');

  t.is((await site.send(gateway, ['Alpha'])).json['error_code'], 'PROVIDER_DISABLED');
  t.is((await site.send(gateway, ['Beta'])).json['error_code'], 'UNKNOWN_PROVIDER');
  t.is((await site.send(gateway)).json['error_code'], 'NO_PROVIDER_AVAILABLE');
  const page = await scrape(gateway);
  t.is(page.value('sms_config_info', fingerprints), 1);
  t.is(page.text.match(/^sms_config_info\{/gm)?.length, 1);
  t.is(page.value('sms_providers_config_total'), 1);
  t.regex(page.text, /^sms_provider_active\{provider="Alpha"\} 0$/m);
  t.false(page.text.includes('sms_provider_active{provider="Beta"}'));
  t.is(page.value('sms_config_reloads_total', { outcome: 'applied' }), 1);
  await waitFor('a heartbeat with the new fingerprints', () =>
    beats.received.some(
      ({ envelope }) => JSON.stringify(envelope['config_fingerprint']) === JSON.stringify(fingerprints),
    ),
  );
});

test('reload: SIGHUP -> read at once; a client comes, another goes, a quota changes', async (t) => {
  const site = await FileSite.make(t, { clients: { main: { daily_quota: 5 }, second: {} } });
  const gateway = await site.start();
  t.is((await site.send(gateway)).headers['ratelimit-policy'], '"daily";q=5;w=86400');
  await writeFile(site.clientsFile, site.clientsWith({ daily_quota: 9 }));
  gateway.process.signal('SIGHUP');
  await gateway.line('config.reloaded', (line) => line['trigger'] === 'signal');
  t.is((await site.send(gateway)).headers['ratelimit-policy'], '"daily";q=9;w=86400');
  t.is((await gateway.send({ apiKey: site.apiKey('second'), body: newBody() })).status, 401);
  const page = await waitFor('the new limit', async () => {
    const seen = await scrape(gateway);
    return seen.value('sms_quota_limit', { client: 'main' }) === 9 && seen;
  });
  t.false(page.text.includes('sms_quota_limit{client="second"}'));
});

test('reload: a faulty file -> refused with every fault, the last good one serves on, and a good one is taken again', async (t) => {
  const site = await FileSite.make(t);
  const gateway = await site.start();
  await writeFile(site.clientsFile, site.clientsWith({ daily_quota: -1, is_active: 'yes' }));
  const refused = await gateway.line('config.reload_refused');
  t.is(refused['level'], 'error');
  t.deepEqual(refused['faults'], [
    {
      client: 'main',
      variable: 'CLIENT_CONFIG',
      path: '[client 1].is_active',
      message: 'must be true or false',
    },
    {
      client: 'main',
      variable: 'CLIENT_CONFIG',
      path: '[client 1].daily_quota',
      message: 'must be 0 or more',
    },
  ]);
  t.is((await site.send(gateway)).status, 202);
  const page = await scrape(gateway);
  t.regex(page.text, /^sms_config_last_reload_successful 0$/m);
  t.is(
    page.value('sms_config_info', {
      clients: sha256(site.variables.CLIENT_CONFIG),
      providers: sha256(site.variables.PROVIDERS_CONFIG),
    }),
    1,
  );

  await writeFile(site.clientsFile, site.variables.CLIENT_CONFIG);
  await gateway.line('config.unchanged');
  t.is((await scrape(gateway)).value('sms_config_last_reload_successful'), 1);
});

test('reload: the file is gone -> refused, and it serves on', async (t) => {
  const site = await FileSite.make(t);
  const gateway = await site.start();
  await rm(site.clientsFile);
  const refused = await gateway.line('config.reload_refused');
  t.regex(JSON.stringify(refused['faults']), /"CLIENT_CONFIG_FILE".*ENOENT/);
  t.is((await site.send(gateway)).status, 202);
});

test('reload: a mounted secret that is swapped by the link above it -> noticed', async (t) => {
  const site = await FileSite.make(t);
  const folder = join(site.clientsFile, '..');
  const links = { data: join(folder, '..data'), next: join(folder, '..next') };
  for (const [version, text] of [
    ['v1', site.variables.PROVIDERS_CONFIG],
    ['v2', ALL_OFF],
  ] as const) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'providers.json'), text);
  }
  await symlink('v1', links.data);
  await rm(site.providersFile);
  await symlink(join('..data', 'providers.json'), site.providersFile);
  const gateway = await site.start();
  await symlink('v2', links.next);
  await rename(links.next, links.data);
  await gateway.line('config.reloaded');
  t.is((await site.send(gateway)).json['error_code'], 'NO_PROVIDER_AVAILABLE');
});

test('reload: again and again under load -> no request fails because of it, each judged by one configuration', async (t) => {
  const site = await FileSite.make(t);
  const gateway = await site.start();
  const outbox = await site.openOutbox();
  const one = site.variables.PROVIDERS_CONFIG;
  const other = JSON.stringify({ ...JSON.parse(one), Alpha: { is_active: false, is_operational: true } });
  let done = false;
  const statuses = new Map<number, number>();
  const senders = Array.from({ length: 20 }, async () => {
    while (!done) {
      const { status } = await site.send(gateway, ['Alpha', 'Beta']);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });
  for (let reloads = 1; reloads <= 12; reloads += 1) {
    // Written aside and renamed, so that a look never finds half a file.
    const aside = `${site.providersFile}.aside`;
    await writeFile(aside, reloads % 2 === 1 ? other : one);
    await rename(aside, site.providersFile);
    gateway.process.signal('SIGHUP');
    await waitFor(
      'a reload',
      async () => gateway.log.filter(({ message }) => message === 'config.reloaded').length >= reloads,
    );
  }
  done = true;
  await Promise.all(senders);
  t.deepEqual([...statuses.keys()], [202]);
  t.true((statuses.get(202) ?? 0) > 100);
  await outbox.settled();
  const expected = new Map([
    [sha256(one), 'Alpha,Beta'],
    [sha256(other), 'Beta'],
  ]);
  const seen = new Set<unknown>();
  for (const { envelope } of outbox.received) {
    const { config_fingerprint: fingerprints, providers_effective: effective } = envelope;
    const { providers } = Object(fingerprints);
    seen.add(providers);
    t.is(String(effective), expected.get(providers) ?? 'a configuration of ours');
  }
  t.is(seen.size, 2);
});

test('reload: another variable has changed in .env -> named, and left until a restart', async (t) => {
  const site = await FileSite.make(t);
  const folder = join(site.clientsFile, '..');
  const dotEnv = (level: string) => writeFile(join(folder, '.env'), `LOG_LEVEL=${level}\n`);
  await dotEnv('info');
  const gateway = await site.startGateway({ NODE_ENV: 'development' }, { untilReady: true }, folder);
  await dotEnv('warn');
  gateway.process.signal('SIGHUP');
  const line = await gateway.line('config.restart_needed');
  t.deepEqual(line['variables'], ['LOG_LEVEL']);
  await gateway.line('config.unchanged');
});

test('reload: SIGHUP within a shutdown -> of no effect', async (t) => {
  const site = await FileSite.make(t);
  const gateway = await site.start();
  gateway.process.signal('SIGTERM');
  gateway.process.signal('SIGHUP');
  t.is((await gateway.process.ended).code, 0);
});
