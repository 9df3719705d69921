/** What scrapers cost the senders. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Outcome } from './experiment.js';
import { runLoad } from './load.js';
import { type Slice, slice, spread, WARM_UP_MS } from './measure.js';
import { type Estimate, pooled, ratioInWords, ratioOf, typical } from './pooled.js';
import { API_KEYS, KEYED, stamped } from './requests.js';
import { SCRAPERS, Scrapers, startControl } from './scraper-processes.js';
import { fixed, table } from './table.js';
import { PROBED, type Target } from './target.js';

const CLIENTS = 20_000;
const CONNECTIONS = 64;
/** As long as the gateway's longest period: in each slice the gauges of quota are read once. */
const SLICE_MS = 5000;
/** Part of the rate at saturation: Redis, RabbitMQ and the senders, who share a core on a small machine, are not to wait for it. */
const LOAD = 1 / 8;
const keyOf = (n: number): string => `another_key_${n}_0000000000`;

/** What goes on beside the senders. The control scrapes another process, for as many bytes. */
const BESIDE = {
  alone: undefined,
  scrapers: `${SCRAPERS} scrapers`,
  control: 'control: another server',
} as const;
type Beside = keyof typeof BESIDE;
const VARIANTS = ['alone', 'scrapers', 'control'] as const satisfies readonly Beside[];

/** Where a latency is taken. */
const CLOCKS = {
  senders: 'as the senders see it',
  gateway: 'in the gateway, from when a request was written',
} as const;
type Clock = keyof typeof CLOCKS;

/** The slices of one variant, their latencies, and what was scraped meanwhile. */
interface Measured {
  readonly slices: Slice[];
  readonly latencies: Readonly<Record<Clock, Float64Array[]>>;
  pages: number;
  pageBytes: number;
}
type ByVariant = Readonly<Record<Beside, Measured>>;

/** Loads a gateway with and without scrapers that ask without a pause, in turn. */
export async function scrapers(bench: Bench): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'sms-gateway-bench-config-'));
  const file = join(directory, 'clients.json');
  await writeFile(file, clients());
  const rows: Record<Clock, string[][]> = { senders: [], gateway: [] };
  const figures: Record<string, unknown> = {};
  // With the pause that the gateway makes between two pages of such a size.
  const cases = [
    { name: '2 clients', env: {}, count: 0, pauseMs: 250 },
    {
      name: `${CLIENTS.toLocaleString('en')} clients`,
      env: { CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file },
      count: CLIENTS,
      pauseMs: 4800,
    },
  ];
  for (const { name, env, count, pauseMs } of cases) {
    const gateway = await bench.gateway(env, PROBED);
    await sendOnceAs(count, gateway);
    await slice(load(gateway), bench.sliceMs);
    const saturated = await slice(load(gateway), bench.sliceMs);
    const ratePerSecond = Math.round(saturated.perSecond * LOAD);
    const measured = await inTurn(bench, gateway, ratePerSecond, pauseMs);
    await gateway.stop();
    const figuresOf: Record<string, unknown> = { ratePerSecond };
    for (const variant of VARIANTS) {
      const { slices, pages, pageBytes } = measured[variant];
      const row = [`${name}, ${ratePerSecond} a second`, BESIDE[variant] ?? 'nothing'];
      const senders = inWords('senders', variant, measured);
      const inGateway = inWords('gateway', variant, measured);
      rows.senders.push([...row, ...senders, ...scrapedOf(variant, measured)]);
      rows.gateway.push([...row, ...inGateway]);
      figuresOf[variant] = { slices, pages, pageBytes, senders, inGateway };
    }
    figures[name] = figuresOf;
  }
  await rm(directory, { recursive: true, force: true });
  const head = ['configuration', 'beside', 'p50 ms', 'p99 ms', 'p99.9 ms', "slices' p99 ms"];
  const ratios = ['p99 to alone', 'to control', "slices' p99 to alone", 'to control'];
  const title = (clock: Clock): string => `${SCRAPERS} scrapers without a pause, ${CLOCKS[clock]}`;
  return {
    table: [
      table(title('senders'), [...head, ...ratios, 'CPU µs', 'pages a second'], rows.senders),
      table(title('gateway'), [...head, ...ratios], rows.gateway),
    ].join('\n\n'),
    figures,
  };
}

/** Returns the quantiles of a variant by one clock, and the ratios of its p99 to the others'. */
function inWords(clock: Clock, variant: Beside, measured: ByVariant): string[] {
  const latencies = measured[variant].latencies[clock];
  const against = (of: Estimate, other: Beside): string => {
    if (variant === 'alone' || variant === other) return '';
    return ratioInWords(ratioOf(latencies, measured[other].latencies[clock], of));
  };
  const [p50, p99, p999, slicesP99] = [pooled(0.5), pooled(0.99), pooled(0.999), typical(0.99)];
  return [
    ...[p50, p99, p999, slicesP99].map((of) => fixed(of(latencies), 2)),
    ...[p99, slicesP99].flatMap((of) => [against(of, 'alone'), against(of, 'control')]),
  ];
}

function scrapedOf(variant: Beside, measured: ByVariant): string[] {
  const { slices, pages, pageBytes } = measured[variant];
  const seconds = slices.reduce((sum, one) => sum + one.seconds, 0);
  return [
    fixed(spread(slices.map(({ cpuUs }) => cpuUs)).median, 1),
    variant === 'alone' ? '' : `${fixed(pages / seconds, 1)} of ${fixed(pageBytes / 1024, 0)} KiB`,
  ];
}

const load = (target: Target) => ({
  target,
  kind: stamped(KEYED, WARM_UP_MS),
  connections: CONNECTIONS,
  warmUpMs: WARM_UP_MS,
});

function clients(): string {
  const list: Record<string, unknown> = {};
  for (let n = 0; n < CLIENTS; n += 1) {
    list[keyOf(n)] = { name: `Client ${n}`, is_active: true, daily_quota: 1000 };
  }
  list[API_KEYS.plenty] = { name: 'Bench', is_active: true, daily_quota: 1_000_000_000 };
  return JSON.stringify(list);
}

/** Sends one request as each client, so that each has its counter on the page. */
async function sendOnceAs(count: number, { port }: Target): Promise<void> {
  const body = JSON.stringify({ to: '+989121234567', text: 'One' });
  let next = 0;
  while (next < count) {
    await runLoad({
      port,
      connections: CONNECTIONS,
      durationMs: 2000,
      request: () => {
        const apiKey = keyOf(next++ % count);
        return `POST /api/v1/sms/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAPI-Key: ${apiKey}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      },
    });
  }
}

/** Measures each variant once a round, in a new random order. */
async function inTurn(
  bench: Bench,
  target: Target,
  ratePerSecond: number,
  pauseMs: number,
): Promise<ByVariant> {
  const none = (): Measured => ({
    slices: [],
    latencies: { senders: [], gateway: [] },
    pages: 0,
    pageBytes: 0,
  });
  const measured = { alone: none(), scrapers: none(), control: none() };
  const scrapers = new Scrapers();
  await scrapers.begin(target.port);
  const { pageBytes } = await scrapers.stop();
  const control = await startControl(pageBytes, pauseMs);
  try {
    for (let round = 1; round <= bench.rounds; round += 1) {
      const order = VARIANTS.map((variant) => ({ variant, rank: Math.random() }));
      for (const { variant } of order.sort((a, b) => a.rank - b.rank)) {
        const scraped = { alone: undefined, scrapers: target.port, control: control.port }[variant];
        if (scraped !== undefined) await scrapers.begin(scraped);
        const sum = measured[variant];
        const { slices, latencies } = sum;
        const inGateway = await target.latenciesOf(async () => {
          const durationMs = WARM_UP_MS + (bench.quick ? bench.sliceMs : SLICE_MS);
          const all = { ...load(target), ratePerSecond };
          slices.push(await slice(all, durationMs, (seen) => void latencies.senders.push(seen)));
        });
        latencies.gateway.push(inGateway);
        if (scraped !== undefined) {
          const { pages, pageBytes } = await scrapers.stop();
          sum.pages += pages;
          sum.pageBytes = pageBytes;
        }
        const p99 = (clock: Clock): string => fixed(pooled(0.99)(latencies[clock].slice(-1)), 2);
        bench.progress(
          `round ${round}/${bench.rounds}  ${variant.padEnd(8)} p99 ${p99('senders')} ms, in the gateway ${p99('gateway')} ms`,
        );
      }
    }
  } finally {
    scrapers.end();
    control.stop();
  }
  return measured;
}
