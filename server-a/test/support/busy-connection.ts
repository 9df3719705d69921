import { connectRaw, type RawAnswer, splitAnswers } from './raw-connection.js';

/** A connection that has sent one request after the other, each as soon as the one before was answered. */
export interface BusyConnection {
  /** Answers received so far. */
  readonly count: () => number;
  /** Resolves when the gateway has closed the connection, with all answers; the last may be cut short. */
  readonly closed: Promise<readonly RawAnswer[]>;
}

/** Opens a kept-alive connection and keeps it busy until the gateway closes it. @param next makes a request's bytes */
export async function keepBusy(port: number, next: () => string): Promise<BusyConnection> {
  const raw = await connectRaw(port);
  let count = 0;
  let end = 0;
  raw.socket.on('data', () => {
    const received = raw.received();
    for (;;) {
      const headEnd = received.indexOf('\r\n\r\n', end);
      if (headEnd < 0) return;
      const head = received.slice(end, headEnd);
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? '0');
      if (received.length < headEnd + 4 + length) return;
      end = headEnd + 4 + length;
      count += 1;
      // As HTTP has it: after this the sender does not use the connection any more.
      if (/^connection: close$/im.test(head)) return;
      raw.socket.write(next());
    }
  });
  raw.socket.write(next());
  return { count: () => count, closed: raw.closed.then(splitAnswers) };
}
