import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy in front of Redis or RabbitMQ that can fail in every way a network can. */
export interface TcpProxy {
  /** The service's URL, by way of the proxy. */
  readonly url: string;
  /** Refuses new connections, and cuts those that are open. */
  readonly refuse: () => Promise<void>;
  /** Takes connections again, on the same port. */
  readonly accept: () => Promise<void>;
  /** Cuts the open connections; new ones are taken. */
  readonly cut: () => void;
  /** Passes nothing on any more, in either direction; what arrives waits. */
  readonly stall: () => void;
  /** Passes the service's answers on no more; what the gateway sends still arrives. */
  readonly stallAnswers: () => void;
  /** Passes on what waited, and all that follows. */
  readonly resume: () => void;
  /** Connections open now. */
  readonly open: () => number;
  readonly close: () => Promise<void>;
}

type Side = 'gateway' | 'service';

/** Starts a proxy on a free port of 127.0.0.1. @param accepting false = it refuses until told otherwise */
export async function startTcpProxy(targetUrl: string, { accepting = true } = {}): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<Readonly<Record<Side, Socket>>>();
  const stalled = new Set<Side>();
  const server = createServer((gateway) => {
    const service = connectTcp({ host: target.hostname, port: Number(target.port) });
    const pair = { gateway, service };
    pairs.add(pair);
    forward(gateway, service, () => stalled.has('gateway'));
    forward(service, gateway, () => stalled.has('service'));
    const end = (): void => {
      pairs.delete(pair);
      gateway.destroy();
      service.destroy();
    };
    for (const socket of [gateway, service]) socket.on('error', end).on('close', end);
  });
  const port = await listen(server, 0);
  if (!accepting) await stopListening(server);
  const cut = (): void => {
    for (const { gateway, service } of [...pairs]) {
      gateway.destroy();
      service.destroy();
    }
  };
  const refuse = async (): Promise<void> => {
    const stopped = stopListening(server);
    cut();
    await stopped;
  };
  const stall = (...sides: Side[]): void => {
    for (const side of sides) {
      stalled.add(side);
      for (const pair of pairs) pair[side].pause();
    }
  };
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    refuse,
    accept: async () => void (await listen(server, port)),
    cut,
    stall: () => stall('gateway', 'service'),
    stallAnswers: () => stall('service'),
    resume: () => {
      stalled.clear();
      for (const { gateway, service } of pairs) {
        gateway.resume();
        service.resume();
      }
    },
    open: () => pairs.size,
    close: refuse,
  };
}

function forward(from: Socket, to: Socket, isStalled: () => boolean): void {
  from.setNoDelay(true);
  from.on('data', (chunk) => to.write(chunk));
  if (isStalled()) from.pause();
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    if (server.listening) return resolve(port);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not listening on a port'));
      else resolve(address.port);
    });
  });
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
