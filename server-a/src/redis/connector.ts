import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/**
 * Makes a connector for ioredis's `Connector` option that tells of each socket it opens: ioredis keeps its socket to
 * itself, and the gateway needs it to write once a turn (see WriteCoalescer).
 */
export function connectorWith(
  onSocket: (socket: Socket) => void,
): new (
  options: unknown,
) => AbstractConnector {
  return class extends AbstractConnector {
    readonly #options: RedisOptions;

    constructor(given: unknown) {
      const options: RedisOptions = isOptions(given) ? given : {};
      super(options.disconnectTimeout ?? 2000);
      this.#options = options;
    }

    /** Opens a socket; ioredis waits for its `connect` event, and times it out, itself. */
    override async connect(): Promise<Socket | TLSSocket> {
      this.connecting = true;
      const { host = 'localhost', port = 6379, path, tls } = this.#options;
      const address = path === undefined ? { host, port } : { path };
      const socket =
        tls === undefined ? connectTcp(address) : connectTls({ ...address, ...nameOf(host), ...tls });
      socket.once('error', (error: Error) => {
        this.firstError = error;
      });
      this.stream = socket;
      onSocket(socket);
      return socket;
    }
  };
}

/**
 * The name to ask a server for: where several servers share an address, it chooses the certificate. An IP address is no
 * name.
 */
function nameOf(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

function isOptions(given: unknown): given is RedisOptions {
  return typeof given === 'object' && given !== null;
}
