import test from 'ava';
import { startHeartbeat } from '../../../src/background/heartbeat.js';
import { createMetrics } from '../../../src/metrics.js';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../../../src/rabbitmq/publisher.js';
import { REGISTRY } from '../../support/context.js';
import { parseObject } from '../../support/json.js';
import { logInto } from '../../support/log-into.js';
import { MetricsPage } from '../../support/metrics-page.js';
import { waitFor } from '../../support/wait-for.js';

/** A heartbeat on a publisher that gives these outcomes, one after the other, and confirms from then on. */
function heartbeat(intervalSeconds: number, ...outcomes: PublishOutcome[]) {
  const sent: { readonly message: OutgoingMessage; readonly atMs: number }[] = [];
  const publisher: Pick<Publisher, 'publish'> = {
    publish: async (message) => {
      sent.push({ message, atMs: performance.now() });
      return outcomes[sent.length - 1] ?? { end: 'confirmed' };
    },
  };
  const metrics = createMetrics();
  const { log, lines } = logInto('info');
  const running = startHeartbeat({
    publisher,
    registry: { current: REGISTRY },
    metrics,
    log,
    queue: 'a-queue',
    serviceName: 'a-service',
    intervalSeconds,
  });
  const count = async (outcome: string): Promise<number> =>
    new MetricsPage(await metrics.registry.metrics()).value('sms_heartbeats_total', { outcome });
  return { sent, lines, running, count };
}

const REFUSED: PublishOutcome = { end: 'not_sent', reason: 'disconnected' };

test('heartbeat: asked to beat -> one at once, with service, time and fingerprints; persistent and mandatory', async (t) => {
  const { sent, running, count } = heartbeat(60);
  running.beatNow();
  await waitFor('a heartbeat', () => sent.length === 1);
  running.stop();
  const { message } = sent[0] ?? {};
  t.like(message, { kind: 'heartbeat', queue: 'a-queue' });
  t.like(message?.options, {
    persistent: true,
    mandatory: true,
    type: 'sms.heartbeat.v1',
    appId: 'a-service',
    contentType: 'application/json',
  });
  const { ts, ...rest } = parseObject(String(message?.content));
  t.is(new Date(String(ts)).toISOString(), String(ts));
  t.deepEqual(rest, { service: 'a-service', config_fingerprint: REGISTRY.fingerprints });
  t.is(await count('sent'), 1);
});

test('heartbeat: confirmed -> the next one after the interval', async (t) => {
  const { sent, running } = heartbeat(0.05);
  running.beatNow();
  await waitFor('three heartbeats', () => sent.length >= 3);
  running.stop();
  t.true((sent[1]?.atMs ?? 0) - (sent[0]?.atMs ?? 0) > 45);
});

test('heartbeat: refused -> logged as an error, counted, and tried again, no later than the interval', async (t) => {
  const { sent, lines, running, count } = heartbeat(0.02, REFUSED, REFUSED);
  running.beatNow();
  await waitFor('three heartbeats', () => sent.length >= 3);
  running.stop();
  t.is(await count('failed'), 2);
  t.deepEqual(
    lines.map(({ level, message, reason, retry_in_ms, failures }) => [
      level,
      message,
      reason,
      retry_in_ms,
      failures,
    ]),
    [
      ['error', 'heartbeat.failed', 'disconnected', 20, 1],
      ['error', 'heartbeat.failed', 'disconnected', 20, 2],
    ],
  );
});

test('heartbeat: refused again and again, with a long interval -> the pause doubles, and begins anew after a success', async (t) => {
  const confirmed: PublishOutcome = { end: 'confirmed' };
  const { sent, lines, running } = heartbeat(60, REFUSED, REFUSED, REFUSED, confirmed, REFUSED);
  for (let n = 1; n <= 5; n += 1) {
    running.beatNow();
    await waitFor(`heartbeat ${n}`, () => sent.length === n);
  }
  await waitFor('four failures', () => lines.length === 4);
  running.stop();
  t.deepEqual(
    lines.map((line) => line['retry_in_ms']),
    [1000, 2000, 4000, 1000],
  );
});

test('heartbeat: stopped while one is under way -> no other follows', async (t) => {
  const { sent, running } = heartbeat(0.01);
  running.beatNow();
  await waitFor('a heartbeat', () => sent.length >= 1);
  running.stop();
  const before = sent.length;
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.is(sent.length, before);
});
