/**
 * A load generator: a fixed number of keep-alive connections, each sending its next request when the last is answered
 * (or at a fixed rate), on bare sockets so that it costs less than what it measures.
 */
import { connect, type Socket } from 'node:net';

/** What to send. */
export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Returns the n-th request as bytes of HTTP/1.1. */
  readonly request: (n: number) => string;
  /** Requests a second in all; undefined = as fast as answers come. */
  readonly ratePerSecond?: number;
  /** Milliseconds at the beginning whose latencies are not kept: all connections are new in them. Default: 0. */
  readonly warmUpMs?: number;
}

/** What came back. */
export interface LoadResult {
  readonly answered: number;
  /** Answers by HTTP status. */
  readonly byStatus: ReadonlyMap<number, number>;
  readonly seconds: number;
  /** Milliseconds from sending to answer, sorted. */
  readonly latencies: Float64Array;
}

const HEADERS_END = '\r\n\r\n';

/** Runs a load to its end. @throws when a connection fails: a benchmark with errors measures nothing */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = [];
  const byStatus = new Map<number, number>();
  let sent = 0;
  let answered = 0;
  const startedAt = performance.now();
  const keptFrom = startedAt + (options.warmUpMs ?? 0);
  const endsAt = startedAt + options.durationMs;
  const gapMs =
    options.ratePerSecond === undefined ? 0 : (1000 * options.connections) / options.ratePerSecond;

  const drive = (socket: Socket, index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let buffer = '';
      let sentAt = 0;
      let dueAt = startedAt + (gapMs * index) / options.connections;
      const send = (): void => {
        const now = performance.now();
        if (now >= endsAt) {
          socket.destroy();
          resolve();
          return;
        }
        if (gapMs > 0 && dueAt > now) {
          setTimeout(send, dueAt - now);
          return;
        }
        // At a fixed rate latency counts from when the request was due: a stall must not hide behind itself.
        sentAt = gapMs > 0 ? dueAt : now;
        dueAt += gapMs;
        socket.write(options.request(sent++), 'latin1');
      };
      socket.on('data', (chunk: Buffer) => {
        buffer += chunk.toString('latin1');
        const end = buffer.indexOf(HEADERS_END);
        if (end < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(buffer)?.[1] ?? 0);
        if (buffer.length < end + HEADERS_END.length + length) return;
        const status = Number(buffer.slice(9, 12));
        byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
        answered += 1;
        if (sentAt >= keptFrom) latencies.push(performance.now() - sentAt);
        buffer = '';
        send();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve());
      send();
    });

  const sockets = await Promise.all(Array.from({ length: options.connections }, () => open(options.port)));
  await Promise.all(sockets.map(drive));
  return {
    answered,
    byStatus,
    seconds: (performance.now() - startedAt) / 1000,
    latencies: Float64Array.from(latencies).sort(),
  };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Returns the value below which the given part (0 to 1) of the sorted values lies. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
