import { connect, type Socket } from 'node:net';
import { checkAgainstContract } from './contract.js';
import { SEND_PATH } from './paths.js';

/** A TCP connection that says what a test wants, HTTP or not, and keeps what comes back. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything received so far, as latin1. */
  readonly received: () => string;
  /** Resolves when the other side has closed, with everything that it sent. */
  readonly closed: Promise<string>;
}

/** Connects to a port of 127.0.0.1. @throws Error when nobody listens there */
export function connectRaw(port: number): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    const closed = new Promise<string>((resolveClosed) => {
      socket.on('close', () => resolveClosed(received));
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      // A reset is one of the ways to close.
      socket.on('error', () => {});
      resolve({ socket, received: () => received, closed });
    });
  });
}

/** One answer as it came over a raw connection. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** The body has as many bytes as its Content-Length says. */
  readonly whole: boolean;
}

/** What was asked. */
interface Asked {
  readonly method: string;
  readonly path: string;
}

const SENDING: Asked = { method: 'POST', path: SEND_PATH };

/**
 * Cuts what a connection received into answers; all of ours have a Content-Length.
 *
 * @param asked what they answer, one after the other; the last one goes for all that follow
 * @throws Error when one is not as the contract has it
 */
export function splitAnswers(received: string, asked: readonly Asked[] = [SENDING]): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = received;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const head = end < 0 ? rest : rest.slice(0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? '0');
    const body = end < 0 ? '' : rest.slice(end + 4, end + 4 + length);
    const whole = end >= 0 && body.length === length;
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? '0');
    if (whole) {
      const text = Buffer.from(body, 'latin1').toString('utf8');
      checkAgainstContract({
        ...(asked[answers.length] ?? asked.at(-1) ?? SENDING),
        status,
        headers: headersOf(head),
        text,
      });
    }
    answers.push({ status, head, body, whole });
    rest = end < 0 ? '' : rest.slice(end + 4 + length);
  }
  return answers;
}

function headersOf(head: string): Record<string, string> {
  const lines = head.split('\r\n').slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
}
