import { once } from 'node:events';
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy in front of Redis, RabbitMQ or a gateway that can fail in every way a network can. */
export interface TcpProxy {
  /** Port of 127.0.0.1 that it listens on. */
  readonly port: number;
  /** The service's URL, by way of the proxy. */
  readonly url: string;
  /** Refuses new connections, and resets those that are open. */
  readonly refuse: () => Promise<void>;
  /** Takes connections again, on the same port. */
  readonly accept: () => Promise<void>;
  /** Resets the open connections; new ones are taken. */
  readonly cut: () => void;
  /** Passes nothing on any more, in either direction; what arrives waits. */
  readonly stall: () => void;
  /** Passes the service's answers on no more; what the gateway sends still arrives. */
  readonly stallAnswers: () => void;
  /** Passes on what waited, and all that follows. */
  readonly resume: () => void;
  /** Lets bytes vanish, and the ends of connections too, as when packets are dropped: nobody is told. */
  readonly blackHole: () => void;
  /** Lets bytes arrive later, by this many milliseconds each way. */
  readonly delay: (ms: number) => void;
  /**
   * Makes the network good again, however it was broken. Connections that lived through a black hole are reset: their
   * bytes are gone.
   */
  readonly mend: () => Promise<void>;
  /** Connections open now. */
  readonly open: () => number;
  readonly close: () => Promise<void>;
}

type Side = 'gateway' | 'service';

/** What the network does with bytes. */
interface Network {
  /** Sides whose bytes are not read: they wait in the kernel. */
  readonly stalled: Set<Side>;
  blackHoled: boolean;
  delayMs: number;
}

/** Starts a proxy on a free port of 127.0.0.1. @param accepting false = it refuses until told otherwise */
export async function startTcpProxy(targetUrl: string, { accepting = true } = {}): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<Readonly<Record<Side, Socket>>>();
  const network: Network = { stalled: new Set(), blackHoled: false, delayMs: 0 };
  const server = createServer((gateway) => {
    const service = connectTcp({ host: target.hostname, port: Number(target.port) });
    const pair = { gateway, service };
    pairs.add(pair);
    forward(gateway, service, network);
    forward(service, gateway, network);
    for (const side of network.stalled) pair[side].pause();
    for (const socket of [gateway, service]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        // In a black hole not even the end of a connection comes through.
        if (network.blackHoled || !pairs.delete(pair)) return;
        gateway.destroy();
        service.destroy();
      });
    }
  });
  const port = await listen(server, 0);
  if (!accepting) await stopListening(server);
  const cut = (): void => {
    for (const pair of pairs) {
      // First, because a reset that is under way is spoiled by destroying its socket.
      pairs.delete(pair);
      reset(pair.gateway);
      pair.service.destroy();
    }
  };
  const refuse = async (): Promise<void> => {
    const stopped = stopListening(server);
    cut();
    await stopped;
  };
  const accept = async (): Promise<void> => void (await listen(server, port));
  const stall = (...sides: Side[]): void => {
    for (const side of sides) {
      network.stalled.add(side);
      for (const pair of pairs) pair[side].pause();
    }
  };
  const resume = (): void => {
    network.stalled.clear();
    for (const { gateway, service } of pairs) {
      gateway.resume();
      service.resume();
    }
  };
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    port,
    url: url.href,
    refuse,
    accept,
    cut,
    stall: () => stall('gateway', 'service'),
    stallAnswers: () => stall('service'),
    resume,
    blackHole: () => {
      network.blackHoled = true;
    },
    delay: (ms) => {
      network.delayMs = ms;
    },
    mend: async () => {
      const bytesAreGone = network.blackHoled;
      network.blackHoled = false;
      network.delayMs = 0;
      if (bytesAreGone) cut();
      resume();
      await accept();
    },
    open: () => pairs.size,
    close: refuse,
  };
}

/** Ends a connection as a broken network does. */
function reset(socket: Socket): void {
  // Node's reset waits until all is written, which a frozen peer never lets happen.
  if (socket.connecting || socket.writableLength > 0) socket.destroy();
  else socket.resetAndDestroy();
}

function forward(from: Socket, to: Socket, network: Network): void {
  from.setNoDelay(true);
  // One queue, so that bytes on their way are never overtaken, also when the network has become fast meanwhile.
  const underWay: { readonly chunk: Buffer; readonly arrivesAt: number }[] = [];
  const deliver = (): void => {
    for (let next = underWay[0]; next !== undefined; next = underWay[0]) {
      const restMs = next.arrivesAt - performance.now();
      if (restMs > 0) {
        setTimeout(deliver, Math.ceil(restMs));
        return;
      }
      underWay.shift();
      if (to.writable) to.write(next.chunk);
    }
  };
  from.on('data', (chunk) => {
    if (network.blackHoled) return;
    if (network.delayMs === 0 && underWay.length === 0) {
      if (to.writable) to.write(chunk);
      return;
    }
    underWay.push({ chunk, arrivesAt: performance.now() + network.delayMs });
    if (underWay.length === 1) deliver();
  });
}

async function listen(server: Server, port: number): Promise<number> {
  if (server.listening) return port;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
