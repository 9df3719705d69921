/** Greedy scrapers of a page with tens of thousands of series: senders are served in between, and so are the scrapers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ask } from '../support/http-client.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const CLIENTS = 20_000;
const SCRAPERS = 16;
const SENDS = 40;

test('scrapers: 16 without a pause, 20,000 clients -> each has whole pages, and half of the sends take less than 500 ms', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-test-scrapers-'));
  const site = new Site();
  t.teardown(async () => {
    await site.close();
    await rm(folder, { recursive: true });
  });
  const file = join(folder, 'clients.json');
  const others = Array.from({ length: CLIENTS }, (_, n) => [
    `key-of-another-client-${n}`,
    { name: `Client ${n}`, is_active: true, daily_quota: 1000 },
  ]);
  const own = JSON.parse(site.variables.CLIENT_CONFIG);
  await writeFile(file, JSON.stringify({ ...own, ...Object.fromEntries(others) }));
  const gateway = await site.startGateway({ CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file });
  const { port } = gateway;
  const scrape = async () => (await ask({ port, path: '/metrics' })).text;
  await waitFor('the quotas of all', async () => {
    const page = await scrape();
    return page.match(/^sms_quota_used\{client="Client \d+"\} 0$/gm)?.length === CLIENTS;
  });

  let over = false;
  const pages = Array.from({ length: SCRAPERS }, async () => {
    let whole = 0;
    while (!over) if ((await scrape()).endsWith('\n')) whole += 1;
    return whole;
  });
  const took: number[] = [];
  for (let n = 0; n < SENDS; n += 1) {
    const answer = await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
    t.is(answer.status, 202);
    took.push(answer.tookMs);
  }
  over = true;
  for (const whole of await Promise.all(pages)) t.true(whole > 0);
  const median = took.sort((a, b) => a - b)[SENDS / 2] ?? Number.NaN;
  t.true(median < 500, `${median} ms`);
});
