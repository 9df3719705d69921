import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startOnPort } from './free-port.js';
import type { ManagedServer } from './managed-server.js';
import { ServiceProcess } from './service-process.js';

/** What kind of Redis to start. */
export interface RedisServerOptions {
  /** Directory for its log and data; made if missing, never removed. One server at a time may use it. */
  readonly dataDir: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Keep the data over a restart in an append-only file, synced every second. Default: keep nothing. */
  readonly appendOnly?: boolean;
  /** More arguments for `redis-server`, such as `['--maxmemory', '8mb']`; they win over the defaults. */
  readonly extraArgs?: readonly string[];
}

const READY_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 10_000;
const PING_TIMEOUT_MS = 1_000;

/**
 * Starts a private Redis on 127.0.0.1 that never evicts, and resolves when it answers PING.
 * @throws Error with the end of the server's log when it does not start, when `redis-server` is not
 *   installed, or when the port asked for is in use.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<ManagedServer> {
  await mkdir(options.dataDir, { recursive: true });
  return startOnPort(options.port, async (port) => {
    const server = new RedisServer(port, options);
    await server.start();
    return server;
  });
}

class RedisServer extends ServiceProcess implements ManagedServer {
  readonly url: string;

  constructor(
    readonly port: number,
    { dataDir, appendOnly = false, extraArgs = [] }: RedisServerOptions,
  ) {
    super({
      name: 'Redis',
      port,
      command: 'redis-server',
      args: [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dataDir, '--daemonize', 'no'],
        ...['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--maxmemory-policy', 'noeviction'],
        ...extraArgs,
      ],
      env: process.env,
      logFile: join(dataDir, 'redis.log'),
      probe: () => answersPing(port),
      readyWithinMs: READY_WITHIN_MS,
      stopWithinMs: STOP_WITHIN_MS,
    });
    this.url = `redis://127.0.0.1:${port}/0`;
  }
}

/**
 * Resolves when the Redis on this port of 127.0.0.1 answers PING with PONG.
 * @throws Error with its answer otherwise, such as `-LOADING` while it still reads its data.
 */
export function answersPing(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    socket.setTimeout(PING_TIMEOUT_MS, () => socket.destroy(new Error('no answer to PING')));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      if (answer.toString().startsWith('+PONG')) resolve();
      else reject(new Error(`PING answered ${answer.toString().trim()}`));
    });
    socket.once('close', () => reject(new Error('connection closed before PING was answered')));
  });
}
