/** What scrapers cost the senders. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, Outcome } from './experiment.js';
import { runLoad } from './load.js';
import { ratio, type Slice, slice, spread } from './measure.js';
import { API_KEYS, KEYED } from './requests.js';
import { fixed, table } from './table.js';
import type { Target } from './target.js';

const SCRAPERS = 8;
const CLIENTS = 20_000;
const CONNECTIONS = 64;
const SCRAPER_PROCESS = fileURLToPath(new URL('scraper-process.ts', import.meta.url));
const keyOf = (n: number): string => `another_key_${n}_0000000000`;

/** Loads a gateway with and without scrapers that ask without a pause, in turn. */
export async function scrapers(bench: Bench): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'sms-gateway-bench-config-'));
  const file = join(directory, 'clients.json');
  await writeFile(file, clients());
  const rows: string[][] = [];
  const figures: Record<string, unknown> = {};
  const cases = [
    { name: '2 clients', env: {}, count: 0 },
    {
      name: `${CLIENTS.toLocaleString('en')} clients`,
      env: { CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file },
      count: CLIENTS,
    },
  ];
  for (const { name, env, count } of cases) {
    const gateway = await bench.gateway(env);
    await sendOnceAs(count, gateway);
    await slice(load(gateway), bench.sliceMs);
    const saturated = await slice(load(gateway), bench.sliceMs);
    const ratePerSecond = Math.round(saturated.perSecond / 4);
    const measured = await inTurn(bench, gateway, ratePerSecond);
    await gateway.stop();
    const p99 = ratio(measured.scraped, measured.alone, (one) => one.p99Ms);
    figures[name] = { ratePerSecond, ...measured, p99 };
    for (const [what, slices] of [
      ['alone', measured.alone],
      [`${SCRAPERS} scrapers`, measured.scraped],
    ] as const) {
      const of = (pick: (one: Slice) => number): string => fixed(spread(slices.map(pick)).median, 2);
      rows.push([
        name,
        String(ratePerSecond),
        what,
        of((one) => one.p50Ms),
        of((one) => one.p99Ms),
        of((one) => one.p999Ms),
        what === 'alone' ? '' : `${fixed(p99.median, 2)} (${fixed(p99.min, 2)}–${fixed(p99.max, 2)})`,
        what === 'alone'
          ? ''
          : `${fixed(measured.pagesPerSecond, 1)} of ${fixed(measured.pageBytes / 1024, 0)} KiB`,
      ]);
    }
  }
  await rm(directory, { recursive: true, force: true });
  const head = [
    'configuration',
    'per s',
    'senders',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'p99, ratio',
    'pages a second',
  ];
  return { table: table(`${SCRAPERS} scrapers without a pause`, head, rows), figures };
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

async function inTurn(bench: Bench, target: Target, ratePerSecond: number) {
  const measured: Record<'alone' | 'scraped', Slice[]> = { alone: [], scraped: [] };
  let pages = 0;
  let seconds = 0;
  let pageBytes = 0;
  for (let round = 1; round <= bench.rounds; round += 1) {
    const order = round % 2 === 0 ? (['alone', 'scraped'] as const) : (['scraped', 'alone'] as const);
    for (const which of order) {
      const process = which === 'scraped' ? await startScrapers(target.port) : undefined;
      const startedAt = performance.now();
      const one = await slice({ ...load(target), ratePerSecond }, bench.sliceMs);
      const scraped = await process?.stop();
      if (scraped !== undefined) {
        pages += scraped.pages;
        seconds += (performance.now() - startedAt) / 1000;
      }
      pageBytes = scraped?.bytes ?? pageBytes;
      measured[which].push(one);
      bench.progress(`round ${round}/${bench.rounds}  ${which.padEnd(8)} p99 ${one.p99Ms.toFixed(2)} ms`);
    }
  }
  return { ...measured, pagesPerSecond: pages / seconds, pageBytes };
}

/** Starts them, and waits until they have their first page: their own start takes more CPU than a page. */
async function startScrapers(port: number) {
  const child = spawn(process.execPath, ['--import=tsx', SCRAPER_PROCESS, String(port), String(SCRAPERS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  while (!output.includes('begun')) await once(child.stdout, 'data');
  return {
    stop: async (): Promise<{ pages: number; bytes: number }> => {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
      const [, pages = 0, bytes = 0] = (output.split('\n').find((line) => line.startsWith('ended')) ?? '')
        .split(' ')
        .map(Number);
      return { pages, bytes };
    },
  };
}
