/** Large pages of metrics, to scrapers that take their time. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import test from 'ava';
import { begin, bytesOf, QUESTION, scrape, serveMetrics, valuesOn } from '../support/metrics-server.js';
import { waitFor } from '../support/wait-for.js';

/** More than a loopback connection holds on its own, at 250 bytes a series. */
const MANY = 60_000;

test('metrics page: a scraper that reads slowly, and pages for others meanwhile -> its page is of one moment', async (t) => {
  const { port, setAll } = await serveMetrics(t, MANY, 60_000);
  setAll(1);
  const asked = get({ host: '127.0.0.1', port, path: '/metrics', agent: false });
  const [answer]: IncomingMessage[] = await once(asked, 'response');
  if (answer === undefined) return t.fail('no answer');
  // Nobody has read of it yet.
  for (const value of [2, 3, 4]) {
    setAll(value);
    t.deepEqual(valuesOn((await scrape(port)).bytes.toString()), new Set([String(value)]));
  }
  const page = (await bytesOf(answer)).toString();
  t.deepEqual(valuesOn(page), new Set(['1']));
  t.is(page.match(/^sms_quota_used\{/gm)?.length, MANY);
});

test('metrics page: a scraper that takes nothing of two pages -> its connection ends when the time is up', async (t) => {
  const { server, port } = await serveMetrics(t, MANY, 200);
  const stalled = await begin(port, QUESTION.repeat(2));
  t.teardown(() => stalled.destroy());
  stalled.pause();
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  t.is(await connections(), 1);
  await waitFor('its end', async () => (await connections()) === 0, { withinMs: 20_000 });
});
