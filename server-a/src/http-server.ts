/** The HTTP server: its limits, and what it answers to bytes that are no request. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { isoNow } from './clock.js';
import { invalidPayload, renderError } from './errors.js';

const LIMITS = {
  /** Bytes of all headers together; ours and a proxy's fit several times. */
  maxHeaderSize: 8 * 1024,
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

/** Makes the server; it does not listen yet. */
export function createHttpServer(listener: RequestListener): Server {
  const server = createServer(LIMITS, (req, res) => {
    // HTTP/1.1 asks for it (RFC 9112, 3.2); HTTP/1.0 does not.
    if (req.headers.host === undefined && req.httpVersion === '1.1') refuseWithoutHost(req, res);
    else listener(req, res);
  });
  server.on('clientError', refuseConnection);
  // An expectation that nobody knows may be passed over (RFC 9110, 10.1.1); Node's own refusal has no body.
  server.on('checkExpectation', listener);
  return server;
}

/** Status lines and faults of what Node's parser refuses, by its error code. */
const PARSER_FAULTS = new Map([
  [
    'HPE_HEADER_OVERFLOW',
    {
      line: '431 Request Header Fields Too Large',
      message: `headers must have at most ${LIMITS.maxHeaderSize} bytes`,
    },
  ],
  [
    'ERR_HTTP_REQUEST_TIMEOUT',
    { line: '408 Request Timeout', message: 'the request must be complete in time' },
  ],
]);
const NO_REQUEST = { line: '400 Bad Request', message: 'must be an HTTP/1.1 request' };

const CONTENT_TYPE = 'application/json; charset=utf-8';

function refuseWithoutHost(req: IncomingMessage, res: ServerResponse): void {
  req.resume();
  const body = faultBody('must have a Host header');
  res.writeHead(400, {
    'Content-Type': CONTENT_TYPE,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  res.end(body);
}

function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { line, message } = PARSER_FAULTS.get(error.code ?? '') ?? NO_REQUEST;
  const body = faultBody(message);
  socket.end(
    `HTTP/1.1 ${line}\r\nContent-Type: ${CONTENT_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function faultBody(message: string): string {
  return renderError(invalidPayload([{ field: 'request', message }]), undefined, isoNow());
}
