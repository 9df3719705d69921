/** The HTTP servers: their limits, and what reaches the layers at all. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Metrics } from '../metrics.js';
import { connectionOf } from './connection.js';
import { Connections, type ConnectionsParts } from './connections.js';
import { connectionsThatFit } from './descriptors.js';
import { responsesThatEnd } from './drain.js';
import { FAULTS, faultOfError, faultOfHead, HEADERS_LIMIT_BYTES, PREFACE_METHOD } from './faults.js';
import { pathOfTarget } from './target.js';

const LIMITS = {
  maxHeaderSize: HEADERS_LIMIT_BYTES,
  /** Milliseconds for the headers, and for the whole request: senders are next door, only a broken one takes longer. */
  headersTimeout: 5000,
  requestTimeout: 10_000,
  /** Milliseconds that an idle connection is kept: longer than the usual minute of proxies, so that they close first. */
  keepAliveTimeout: 65_000,
  /** Milliseconds between looks for connections that are past their limits. */
  connectionsCheckingInterval: 1000,
  noDelay: true,
  /** Refused below instead: Node's own answer has no body. */
  requireHostHeader: false,
} as const;

/**
 * Milliseconds, beside a request's own time, after which a connection on which nothing moves is cut: its sender does not
 * read its answers. (Node looks once more before it cuts, so it can take twice as long.) Longer than requestTimeout, which
 * has an answer.
 */
const STALL_MS = 12_000;

/** Connections of operators that may be open: many times what scrapers, balancers and people need. */
const OPERATORS_LIMIT = 64;

/** What a server needs. */
export interface HttpServerParts extends Pick<ConnectionsParts, 'log' | 'lingerMs'> {
  readonly env: { readonly MAX_CONNECTIONS: number; readonly SHUTDOWN_TIMEOUT_MS: number };
  readonly metrics: Metrics;
  /** Milliseconds that a request may take once it is here. */
  readonly longestRequestMs: number;
  /** True from the moment on that answers say `Connection: close`. */
  readonly ending: () => boolean;
}

/** A server that can be listened with and closed. */
export interface HttpServer {
  /** @throws when the address cannot be listened on */
  readonly listen: (host: string, port: number) => Promise<AddressInfo>;
  /** Stops accepting; resolves when all requests in flight are answered and all connections closed. */
  readonly close: () => Promise<void>;
  /** Stops accepting and ends every connection: a scraper that is still reading does not hold up the process. */
  readonly closeAtOnce: () => void;
}

/** A response is out: its connection need not hold it any more. */
const letGo = (socket: Socket, res: ServerResponse): void => connectionOf(socket)?.letGo(res);

/** Makes the server of the senders' port; it does not listen yet. */
export function createSendersServer(listener: RequestListener, parts: HttpServerParts): HttpServer {
  const { env, log, metrics } = parts;
  const limit = Math.min(env.MAX_CONNECTIONS, connectionsThatFit());
  if (limit < env.MAX_CONNECTIONS) {
    log.warn({ limit, wanted: env.MAX_CONNECTIONS }, 'connections.limit_lowered');
  }
  return createHttpServer(listener, parts, { limit, gauges: metrics });
}

/** Makes the server of the operators' own port; it does not listen yet. */
export function createOperatorsServer(listener: RequestListener, parts: HttpServerParts): HttpServer {
  return createHttpServer(listener, parts, { limit: OPERATORS_LIMIT, gauges: undefined });
}

function createHttpServer(
  listener: RequestListener,
  { env, log, lingerMs, metrics, longestRequestMs, ending }: HttpServerParts,
  bounds: Pick<ConnectionsParts, 'limit' | 'gauges'>,
): HttpServer {
  const server = createServer({ ...LIMITS, ServerResponse: responsesThatEnd(ending, letGo) });
  server.timeout = STALL_MS + longestRequestMs;
  // A sender that has ended its side still gets its answers. Node has this switch, and its types do not.
  Object.assign(server, { httpAllowHalfOpen: true });
  const connections = new Connections(server, { log, metrics, lingerMs, ...bounds });

  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const path = pathOfTarget(req.url ?? '');
    const fault = faultOfHead(req) ?? (path === undefined ? FAULTS.target : undefined);
    // At a request of this method Node destroys the connection, and with it the answers that are owed: it looks when this
    // returns, also where the request is dropped.
    if (req.method === PREFACE_METHOD) req.method = '';
    const connection = connectionOf(req.socket);
    if (connection?.take(req, res) !== true) return;
    if (fault !== undefined) {
      connection.refuseRequest(fault, res);
      return;
    }
    req.url = path;
    listener(req, res);
  };
  server.on('request', onRequest);
  // An expectation that nobody knows may be passed over (RFC 9110, 10.1.1); Node's own refusal has no body.
  server.on('checkExpectation', onRequest);
  server.on('connect', (_req, socket) => connectionOf(socket)?.refuse(FAULTS.connect));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const fault = faultOfError(error);
    if (fault === undefined) socket.destroy();
    else connectionOf(socket)?.refuse(fault, error.code);
  });
  server.on('error', (err) => {
    // Before it listens, whoever wants it to listens for this.
    if (server.listening) log.error({ err }, 'connections.accept_failed');
  });

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.removeListener('error', reject);
          const address = server.address();
          if (address === null || typeof address === 'string') reject(new Error('not listening on a port'));
          else resolve(address);
        });
      }),
    close: () => connections.close(server, env.SHUTDOWN_TIMEOUT_MS),
    closeAtOnce: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
