import { createServer } from 'node:net';

// Below the ranges from which Linux (32768+), macOS and Windows (49152+) pick the local port of an outgoing
// connection. Inside such a range a client that reconnects to a stopped server can be given the server's own
// port, connect to itself, and so keep the server from ever starting again.
const FIRST_PORT = 20_000;
const LAST_PORT = 31_999;
const ATTEMPTS = 200;

const handedOut = new Set<number>();

/**
 * Finds a TCP port on 127.0.0.1 that nothing listens on and that this process has not been given before.
 * The port is not reserved: another process can still take it, so a server must report a taken port.
 * @throws Error when no free port is found after many tries.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (handedOut.has(port) || (await whyPortIsClosed(port)) !== undefined) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`Found no free TCP port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1.`);
}

/**
 * Tells why a server could not listen on the port now.
 * @param host address to bind; `0.0.0.0` also notices a server on a single interface.
 * @returns the error code of listen(2), such as `EADDRINUSE` or `EACCES`; undefined if it could.
 */
export function whyPortIsClosed(port: number, host = '127.0.0.1'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/**
 * Runs `start` with the port asked for, or else with free ports until one is not snatched away before use.
 * @param asked port that the server must have, or undefined for any.
 * @param start must reject when the server cannot listen on the port.
 * @throws what `start` rejects with.
 */
export async function startOnPort<T>(
  asked: number | undefined,
  start: (port: number) => Promise<T>,
): Promise<T> {
  if (asked !== undefined) return start(asked);
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    try {
      return await start(port);
    } catch (error) {
      if (attempt === 3 || (await whyPortIsClosed(port)) === undefined) throw error;
    }
  }
}
