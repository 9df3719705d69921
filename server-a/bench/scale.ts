/** What a request costs as the work around it grows. */
import type { Bench, Outcome } from './experiment.js';
import { interleave, spread, type Variant } from './measure.js';
import { API_KEYS, CONFIGURATION, KEYED } from './requests.js';
import { fixed, table } from './table.js';

function clients(count: number): Readonly<Record<string, string>> {
  const list: Record<string, unknown> = {};
  for (let n = 0; n < count - 1; n += 1) {
    list[`another_key_${n}_0000000000`] = { name: `Client ${n}`, is_active: true, daily_quota: 1000 };
  }
  list[API_KEYS.plenty] = { name: 'Bench', is_active: true, daily_quota: 1_000_000_000 };
  return { CLIENT_CONFIG: JSON.stringify(list) };
}

function providers(count: number): Readonly<Record<string, string>> {
  const list = Array.from({ length: count }, (_, n) => [
    `Provider-${n}`,
    { is_active: true, is_operational: true },
  ]);
  return { PROVIDERS_CONFIG: JSON.stringify(Object.fromEntries(list)) };
}

/** Measures a keyed accepted request with more clients, providers, records and connections. */
export async function scale(bench: Bench, records: (bench: Bench) => Promise<number>): Promise<Outcome> {
  // An environment value has at most 128 KiB: ten thousand clients come from a file.
  const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
  const directory = await mkdtemp('/tmp/sms-gateway-bench-config-');
  const file = `${directory}/clients.json`;
  await writeFile(file, clients(10_000)['CLIENT_CONFIG'] ?? '');
  const rounds = Math.ceil(bench.rounds / 3);
  const few = await bench.gateway({ ...clients(10), ...providers(2) });
  const manyClients = await bench.gateway({ ...providers(2), CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file });
  const manyProviders = await bench.gateway({ ...clients(10), ...providers(500) });
  const targets = [
    { name: '10 clients, 2 providers', target: few },
    { name: '10,000 clients', target: manyClients },
    { name: '500 providers', target: manyProviders },
  ];
  const named: { name: string; variant: Variant }[] = targets.map(({ name, target }) => ({
    name: `${name}, 64 connections`,
    variant: { target, kind: KEYED, connections: 64 },
  }));
  for (const connections of [1, 8, 256, 1024]) {
    named.push({
      name: `10 clients, ${connections} connections`,
      variant: { target: few, kind: KEYED, connections },
    });
  }
  const measure = async (list: typeof named): Promise<string[][]> => {
    const slices = await interleave(
      list.map(({ variant }) => variant),
      rounds,
      bench.sliceMs,
      bench.progress,
    );
    return slices.map((one, n) => [
      list[n]?.name ?? '',
      fixed(spread(one.map(({ cpuUs }) => cpuUs)).median),
      fixed(spread(one.map(({ perSecond }) => perSecond)).median, 0),
      fixed(spread(one.map(({ p99Ms }) => p99Ms)).median),
    ]);
  };
  const rows = await measure(named);
  const bytes = await records(bench);
  const first = named
    .slice(0, 1)
    .map(({ name, variant }) => ({ name: `${name}, 1,000,000 records`, variant }));
  rows.push(...(await measure(first)));
  await Promise.all(targets.map(({ target }) => target.stop()));
  await rm(directory, { recursive: true, force: true });
  const text = `${table('As the work grows', ['keyed, accepted', 'CPU µs', 'per s', 'p99 ms'], rows)}\n\nA record of an accepted request takes ${fixed(bytes, 0)} bytes of Redis, key (36 characters behind a 20 character API key), value, expiry and all.`;
  return { table: text, figures: { rows, bytesPerRecord: bytes, configuration: Object.keys(CONFIGURATION) } };
}
