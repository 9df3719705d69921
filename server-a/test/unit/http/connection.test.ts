import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { createSendersServer } from '../../../src/http/server.js';
import { createMetrics } from '../../../src/metrics.js';
import { logInto } from '../../support/log-into.js';
import { waitFor } from '../../support/wait-for.js';

/** Milliseconds that a connection of these tests lives on after its last answer. */
const LINGER_MS = 200;

/** Holds up everything in this process. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A server that answers every request by a listener. */
function serverWith(listener: RequestListener) {
  return createSendersServer(listener, {
    env: { MAX_CONNECTIONS: 5, SHUTDOWN_TIMEOUT_MS: 1000 },
    metrics: createMetrics(),
    log: logInto('info').log,
    longestRequestMs: 3000,
    ending: () => false,
    lingerMs: LINGER_MS,
  });
}

/** Returns a function that collects all garbage. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('no gc');
  return () => void collect();
}

test('connection: its request is answered -> an idle connection keeps nothing of it', async (t) => {
  const held: WeakRef<object>[] = [];
  const server = serverWith((req, res) => {
    held.push(new WeakRef(req), new WeakRef(res));
    req.resume();
    req.on('end', () => res.end('served'));
  });
  const { port } = await server.listen('127.0.0.1', 0);
  t.teardown(() => server.close());
  const sender = connect({ port, host: '127.0.0.1' });
  t.teardown(() => sender.destroy());
  const collect = collector();
  for (const body of ['', 'x']) {
    sender.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await once(sender, 'data');
    await waitFor('request and response are garbage', () => {
      collect();
      return held.every((reference) => reference.deref() === undefined);
    });
  }
  t.is(held.length, 4);
});

test('connection: the process stands still until the linger is over -> what came meanwhile is read, or the close would be a reset', async (t) => {
  let served: Socket | undefined;
  const server = serverWith((req, res) => {
    served = req.socket;
    res.end('served');
  });
  const { port } = await server.listen('127.0.0.1', 0);
  t.teardown(() => server.close());
  const sender = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const pieces = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'no request\r\n\r\n', 'more of it'] as const;
  for (const [piece, answer] of [
    [pieces[0], /served$/],
    [pieces[1], /^HTTP\/1\.1 400 /],
  ] as const) {
    sender.write(piece);
    const [received] = await once(sender, 'data');
    t.regex(String(received), answer);
  }
  // In the system's hands when the process goes on, and the linger is over by then.
  sender.write(pieces[2]);
  standStill(1.2 * LINGER_MS);
  if (served !== undefined && !served.destroyed) await once(served, 'close');
  sender.destroy();
  t.is(served?.bytesRead, pieces.join('').length);
});
