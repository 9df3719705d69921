/** What scrapers cost the senders. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as yup from 'yup';
import type { Bench, Outcome } from './experiment.js';
import { runLoad } from './load.js';
import { ratio, type Slice, slice, spread } from './measure.js';
import { API_KEYS, KEYED } from './requests.js';
import { fixed, table } from './table.js';
import type { Target } from './target.js';

const SCRAPERS = 8;
const CLIENTS = 20_000;
const CONNECTIONS = 64;
/** As long as the gateway's rarest regular work, the gauges of quota, is apart: each slice has it once. */
const SLICE_MS = 5000;
const pathOf = (script: string): string => fileURLToPath(new URL(script, import.meta.url));
const keyOf = (n: number): string => `another_key_${n}_0000000000`;

/** What goes on beside the senders. The control scrapes another process, for as many bytes as the plain pages have. */
const BESIDE = {
  alone: undefined,
  gzip: { name: `${SCRAPERS} scrapers, gzip`, encoding: 'gzip' },
  plain: { name: `${SCRAPERS} scrapers, plain`, encoding: 'identity' },
  control: { name: 'control: another server', encoding: 'identity' },
} as const;
type Beside = keyof typeof BESIDE;
const VARIANTS = ['alone', 'gzip', 'plain', 'control'] as const satisfies readonly Beside[];

const scraped = yup.object({ pages: yup.number().required(), pageBytes: yup.number().required() }).required();
type Scraped = yup.InferType<typeof scraped>;

/** The slices of one variant, and what was scraped meanwhile. */
interface Measured {
  readonly slices: Slice[];
  pages: number;
  seconds: number;
  pageBytes: number;
}

/** Loads a gateway with and without scrapers that ask without a pause, in turn. */
export async function scrapers(bench: Bench): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'sms-gateway-bench-config-'));
  const file = join(directory, 'clients.json');
  await writeFile(file, clients());
  const rows: string[][] = [];
  const figures: Record<string, unknown> = {};
  // With the pause that the gateway makes between two pages of such a size.
  const cases = [
    { name: '2 clients', env: {}, count: 0, pauseMs: 250 },
    {
      name: `${CLIENTS.toLocaleString('en')} clients`,
      env: { CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file },
      count: CLIENTS,
      pauseMs: 1000,
    },
  ];
  for (const { name, env, count, pauseMs } of cases) {
    const gateway = await bench.gateway(env);
    await sendOnceAs(count, gateway);
    await slice(load(gateway), bench.sliceMs);
    const saturated = await slice(load(gateway), bench.sliceMs);
    const ratePerSecond = Math.round(saturated.perSecond / 4);
    const measured = await inTurn(bench, gateway, ratePerSecond, pauseMs);
    await gateway.stop();
    figures[name] = { ratePerSecond, ...measured };
    for (const variant of VARIANTS) rows.push([name, String(ratePerSecond), ...rowOf(variant, measured)]);
  }
  await rm(directory, { recursive: true, force: true });
  const head = [
    'configuration',
    'per s',
    'beside the senders',
    'CPU µs',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'p99, ratio',
    'pages a second',
  ];
  return { table: table(`${SCRAPERS} scrapers without a pause`, head, rows), figures };
}

function rowOf(variant: Beside, measured: Readonly<Record<Beside, Measured>>): string[] {
  const { slices, pages, seconds, pageBytes } = measured[variant];
  const of = (pick: (one: Slice) => number, digits = 2): string =>
    fixed(spread(slices.map(pick)).median, digits);
  const p99 = ratio(slices, measured.alone.slices, (one) => one.p99Ms);
  return [
    BESIDE[variant]?.name ?? 'nothing',
    of((one) => one.cpuUs, 1),
    of((one) => one.p50Ms),
    of((one) => one.p99Ms),
    of((one) => one.p999Ms),
    variant === 'alone' ? '' : `${fixed(p99.median, 2)} (${fixed(p99.min, 2)}–${fixed(p99.max, 2)})`,
    variant === 'alone' ? '' : `${fixed(pages / seconds, 1)} of ${fixed(pageBytes / 1024, 0)} KiB`,
  ];
}

const load = (target: Target) => ({ target, kind: KEYED, connections: CONNECTIONS });

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
): Promise<Readonly<Record<Beside, Measured>>> {
  const none = (): Measured => ({ slices: [], pages: 0, seconds: 0, pageBytes: 0 });
  const measured = { alone: none(), gzip: none(), plain: none(), control: none() };
  const scrapers = new Scrapers();
  await scrapers.begin(target.port, BESIDE.plain.encoding);
  const { pageBytes } = await scrapers.stop();
  const control = await startControl(pageBytes, pauseMs);
  try {
    for (let round = 1; round <= bench.rounds; round += 1) {
      const order = VARIANTS.map((variant) => ({ variant, rank: Math.random() }));
      for (const { variant } of order.sort((a, b) => a.rank - b.rank)) {
        const beside = BESIDE[variant];
        if (beside) await scrapers.begin(variant === 'control' ? control.port : target.port, beside.encoding);
        const one = await slice({ ...load(target), ratePerSecond }, bench.quick ? bench.sliceMs : SLICE_MS);
        const sum = measured[variant];
        if (beside) {
          const { pages, pageBytes } = await scrapers.stop();
          sum.pages += pages;
          sum.pageBytes = pageBytes;
        }
        sum.slices.push(one);
        sum.seconds += one.seconds;
        bench.progress(
          `round ${round}/${bench.rounds}  ${variant.padEnd(8)} p50 ${one.p50Ms.toFixed(2)}  p99 ${one.p99Ms.toFixed(2)} ms`,
        );
      }
    }
  } finally {
    scrapers.end();
    control.stop();
  }
  return measured;
}

/** The process of the scrapers. */
class Scrapers {
  readonly #child = fork(pathOf('scraper-process.mjs'), { execArgv: [] });
  readonly #failed = once(this.#child, 'exit').then(() => {
    throw new Error('the scrapers have failed');
  });

  constructor() {
    // At the end nobody waits for an answer.
    this.#failed.catch(() => {});
  }

  /** Begins to scrape, and waits until each has had a page. */
  async begin(port: number, encoding: string): Promise<void> {
    await this.#ask({ port, count: SCRAPERS, encoding });
  }

  /** Ends the scraping. Returns how many pages were given since all had one, and of how many bytes. */
  async stop(): Promise<Scraped> {
    return scraped.validate(await this.#ask('stop'));
  }

  end(): void {
    this.#child.kill();
  }

  /** @throws Error when the process ends instead of answering */
  async #ask(message: string | object): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(message);
    const [answered] = await Promise.race([answer, this.#failed]);
    return answered;
  }
}

async function startControl(bytes: number, pauseMs: number): Promise<{ port: number; stop: () => void }> {
  const args = [pathOf('static-pages.mjs'), String(bytes), String(pauseMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout, 'data');
  return { port: Number(String(port)), stop: () => void child.kill() };
}
