/** What a TLS server is told by the connection to Redis. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import test from 'ava';
import { RenewableTls } from '../../../src/connection/tls-context.js';
import { createLog } from '../../../src/logging/log.js';
import { connectRedis } from '../../../src/redis/connect.js';
import { Authority } from '../../support/certificates.js';

const folder = mkdtempSync(join(tmpdir(), 'gateway-test-sni-'));
const authority = Authority.create(folder, 'Test authority');
const { cert, key } = authority.issue({ name: 'server', host: 'localhost' });
const tls = new RenewableTls({ ca: readFileSync(authority.cert) }).options;
const certificate = { cert: readFileSync(cert), key: readFileSync(key) };
const log = createLog('test', 'silent', { write: () => {} });
test.after.always(() => rm(folder, { recursive: true }));

/** Lets a link connect, and returns the name that it asked the server for. */
async function nameAskedFor(host: string): Promise<string | false> {
  const server = createServer(certificate);
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = connectRedis(`rediss://${host}:${portOf(server)}`, tls, 500, log);
  try {
    return await new Promise((resolve) => {
      server.once('secureConnection', (socket) => resolve(socket.servername ?? false));
      server.once('tlsClientError', (_, socket) => resolve(socket.servername ?? false));
    });
  } finally {
    await link.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

test('connection: to a host by name, with TLS -> the server is asked for that name', async (t) => {
  t.is(await nameAskedFor('localhost'), 'localhost');
});

test('connection: to an address, with TLS -> the server is asked for none', async (t) => {
  t.is(await nameAskedFor('127.0.0.1'), false);
});
