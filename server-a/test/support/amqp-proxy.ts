import { connect as connectTcp, createServer, type Socket } from 'node:net';
import type { TcpProxy } from './tcp-proxy.js';

/** What RabbitMQ says to a client while a connection is set up, as class and method of AMQP. */
export const BROKER_SAYS = {
  'open-ok': '10.41',
  'channel.open-ok': '20.11',
  'confirm.select-ok': '85.11',
  'queue.declare-ok': '50.11',
} as const;

/** What can come behind one of these, in the same packet. */
export type Interference =
  | 'connection closed'
  | 'channel closed'
  | 'end'
  | 'reset'
  | 'silence'
  | 'channel closed, then silence';

/** Where the first connection is disturbed. */
export interface Place {
  readonly after: keyof typeof BROKER_SAYS;
  /** Which one of its kind, from 1. */
  readonly nth: number;
}

/** A proxy in front of RabbitMQ that disturbs the first connection, and passes all others on as they are. */
export interface AmqpProxy extends Pick<TcpProxy, 'url' | 'close'> {
  /** Connections that were made so far. */
  readonly made: () => number;
}

const METHOD_FRAME = 1;
/** Bytes of a frame around its payload: type, channel and size before it, the end mark behind it. */
const FRAME_HEADER = 7;
const FRAME_END = 0xce;

/** Starts it on a free port of 127.0.0.1. */
export async function startAmqpProxy(
  targetUrl: string,
  place: Place,
  interference: Interference,
): Promise<AmqpProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let made = 0;
  const server = createServer((gateway) => {
    made += 1;
    const service = connectTcp({ host: target.hostname, port: Number(target.port) });
    for (const socket of [gateway, service]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    gateway.on('close', () => service.destroy());
    gateway.on('data', (bytes) => service.write(bytes));
    if (made > 1) {
      service.on('data', (bytes) => gateway.write(bytes));
      service.on('close', () => gateway.destroy());
      return;
    }
    passUntil(place, service, gateway, () => disturb(gateway, service, interference));
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not listening on a port'));
      else resolve(address.port);
    });
  });
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    made: () => made,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Passes frames on; behind the one at the place, in the same packet, goes what `disturb` returns, and nothing after it. */
function passUntil({ after, nth }: Place, service: Socket, gateway: Socket, disturb: () => Buffer): void {
  let rest = Buffer.alloc(0);
  let seen = 0;
  let disturbed = false;
  service.on('data', (bytes) => {
    if (disturbed) return;
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= FRAME_HEADER && rest.length >= FRAME_HEADER + rest.readUInt32BE(3) + 1) {
      const frame = rest.subarray(0, FRAME_HEADER + rest.readUInt32BE(3) + 1);
      rest = rest.subarray(frame.length);
      if (methodOf(frame) === BROKER_SAYS[after]) seen += 1;
      if (seen === nth) {
        disturbed = true;
        gateway.cork();
        gateway.write(frame);
        gateway.write(disturb());
        gateway.uncork();
        return;
      }
      gateway.write(frame);
    }
  });
}

function methodOf(frame: Buffer): string {
  return frame[0] === METHOD_FRAME
    ? `${frame.readUInt16BE(FRAME_HEADER)}.${frame.readUInt16BE(FRAME_HEADER + 2)}`
    : '';
}

function disturb(gateway: Socket, service: Socket, interference: Interference): Buffer {
  // Whatever the gateway says from now on reaches nobody.
  gateway.removeAllListeners('data').resume();
  service.destroy();
  switch (interference) {
    case 'connection closed':
      // As RabbitMQ: it ends the connection when its close is acknowledged.
      gateway.on('data', () => gateway.end());
      return closeFrame(0, 10, 320);
    case 'channel closed':
      gateway.on('data', () => gateway.end());
      return closeFrame(1, 20, 406);
    case 'channel closed, then silence':
      return closeFrame(1, 20, 406);
    case 'end':
      gateway.end();
      return Buffer.alloc(0);
    case 'reset':
      setImmediate(() => gateway.resetAndDestroy());
      return Buffer.alloc(0);
    case 'silence':
      return Buffer.alloc(0);
  }
}

/** A frame that closes a channel or the connection: class, method (50 or 40), code, text, and no method that is to blame. */
function closeFrame(channel: number, classId: number, code: number): Buffer {
  const text = Buffer.from('INJECTED');
  const payload = Buffer.alloc(11 + text.length);
  payload.writeUInt16BE(classId, 0);
  payload.writeUInt16BE(classId === 10 ? 50 : 40, 2);
  payload.writeUInt16BE(code, 4);
  payload.writeUInt8(text.length, 6);
  text.copy(payload, 7);
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt8(METHOD_FRAME, 0);
  header.writeUInt16BE(channel, 1);
  header.writeUInt32BE(payload.length, 3);
  return Buffer.concat([header, payload, Buffer.of(FRAME_END)]);
}
