import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What the proxy does with bytes. */
export type ProxyMode =
  | { readonly kind: 'pass' }
  /** Bytes arrive later, by this many milliseconds each way. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Bytes vanish and nobody is told, as when packets are dropped. */
  | { readonly kind: 'black-hole' }
  /** Connections are reset, new ones refused. */
  | { readonly kind: 'cut' };

/** A TCP proxy on 127.0.0.1 whose network can be broken. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #mode: ProxyMode = { kind: 'pass' };
  #port = 0;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (client) => this.#connect(client));
  }

  /** Starts a proxy to a port of 127.0.0.1. */
  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    const address = proxy.#server.address();
    if (typeof address === 'object' && address !== null) proxy.#port = address.port;
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Breaks or mends the network. Connections that lived through a black hole are reset: their bytes are gone. */
  set(mode: ProxyMode): void {
    const before = this.#mode;
    this.#mode = mode;
    if (mode.kind === 'cut' || before.kind === 'black-hole')
      for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #connect(client: Socket): void {
    this.#watch(client);
    if (this.#mode.kind === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    this.#watch(server);
    this.#pipe(client, server);
    this.#pipe(server, client);
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #pipe(from: Socket, to: Socket): void {
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
      if (this.#mode.kind === 'black-hole') return;
      underWay.push({
        chunk,
        arrivesAt: performance.now() + (this.#mode.kind === 'delay' ? this.#mode.ms : 0),
      });
      if (underWay.length === 1) deliver();
    });
    // In a black hole not even the end of a connection comes through.
    from.on('close', () => this.#mode.kind !== 'black-hole' && to.destroy());
  }
}
