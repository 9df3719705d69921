/** Connections whose senders stall: each is answered, closed within a bounded time, and keeps neither others nor a shutdown waiting. */
import { readdirSync } from 'node:fs';
import test from 'ava';
import type { Gateway } from '../support/gateway.js';
import { scrape } from '../support/metrics-page.js';
import { SEND_PATH } from '../support/paths.js';
import { connectRaw, type RawConnection, splitAnswers } from '../support/raw-connection.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

const HEAD = `POST ${SEND_PATH} HTTP/1.1\r\nHost: x\r\nAPI-Key: ${apiKey}\r\nContent-Type: application/json\r\n`;

/** What a sender writes before it stalls. */
const STALLS = {
  nothing: '',
  'half a header': HEAD.slice(0, -10),
  'half a body': `${HEAD}Content-Length: 100\r\n\r\n{"to":`,
  'half a body of an unregistered client': `${HEAD.replace(apiKey, 'x')}Content-Length: 100\r\n\r\n{"to":`,
  'half a chunk': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"`,
} as const;

/** Connects so that this side never closes its half by itself. */
async function stall(gateway: Gateway, bytes: string): Promise<RawConnection> {
  const raw = await connectRaw(gateway.port);
  raw.socket.allowHalfOpen = true;
  raw.socket.write(bytes);
  return raw;
}

/** Connects, and asks for more and more without reading a byte, until it is not read either. */
async function pipelineWithoutReading(gateway: Gateway): Promise<RawConnection> {
  const raw = await connectRaw(gateway.port);
  raw.socket.pause();
  const requests = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000);
  const timer = setInterval(() => raw.socket.write(requests), 5);
  await waitFor('a sender that is not read', () => raw.socket.writableLength > 500_000);
  clearInterval(timer);
  return raw;
}

const descriptors = (gateway: Gateway): number => readdirSync(`/proc/${gateway.process.pid}/fd`).length;

test('stalled: senders that stall and never close -> each answered once and closed; descriptors as before', async (t) => {
  const gateway = await site.startGateway();
  const before = descriptors(gateway);
  const stalled = await Promise.all(
    Object.entries(STALLS).flatMap(([what, bytes]) =>
      Array.from({ length: 20 }, async () => ({ what, ...(await stall(gateway, bytes)) })),
    ),
  );
  await waitFor('their connections', () => descriptors(gateway) >= before + stalled.length);
  // The gateway's own sum of limits: 10 s for a request, 1 s between looks, 1 s for the last answer.
  await waitFor('descriptors as before', () => descriptors(gateway) <= before, { withinMs: 60_000 });
  for (const { what, received, socket } of stalled) {
    const answers = splitAnswers(received());
    const expected = what.endsWith('unregistered client') ? 401 : 408;
    t.deepEqual(
      answers.map(({ status }) => status),
      [expected],
      what,
    );
    socket.destroy();
  }
  t.is((await gateway.stop()).code, 0);
});

test('stalled: a sender that pipelines and never reads -> its connection is cut', async (t) => {
  const gateway = await site.startGateway();
  const before = descriptors(gateway);
  const raw = await pipelineWithoutReading(gateway);
  await waitFor('its connection', () => descriptors(gateway) > before);
  const startedAt = performance.now();
  await waitFor('descriptors as before', () => descriptors(gateway) <= before, { withinMs: 50_000 });
  t.true(performance.now() - startedAt < 40_000);
  raw.socket.destroy();
});

test('shutdown: SIGTERM while senders stall -> exit 0 well within SHUTDOWN_TIMEOUT_MS', async (t) => {
  const gateway = await site.startGateway();
  await Promise.all(Object.values(STALLS).map((bytes) => stall(gateway, bytes)));
  const slowReader = await pipelineWithoutReading(gateway);
  const startedAt = performance.now();
  t.is((await gateway.stop()).code, 0);
  t.true(performance.now() - startedAt < 5000);
  slowReader.socket.destroy();
});

test('connections: more than MAX_CONNECTIONS -> the rest closed, logged and counted; served again when some go', async (t) => {
  const gateway = await site.startGateway({ MAX_CONNECTIONS: '10' }, { untilReady: false });
  const open = await Promise.all(Array.from({ length: 10 }, () => connectRaw(gateway.port)));
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      const raw = await connectRaw(gateway.port);
      t.is(await raw.closed, '');
    }),
  );
  const line = await gateway.line('connections.dropped');
  t.is(line['limit'], 10);
  for (const { socket } of open) socket.destroy();
  await gateway.untilReady();
  const page = await waitFor('a scrape', () => scrape(gateway));
  t.true(page.value('sms_http_connections_dropped_total') >= 5);
  t.is(page.value('sms_http_connections_limit'), 10);
  t.is((await gateway.send({ apiKey, body: newBody() })).status, 202);
});
