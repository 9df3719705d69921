/** Responses that end their connection, so that a shutdown cuts no sender off, and let go of it once they are out. */
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * Class of responses that say `Connection: close` from some moment on.
 *
 * @param ending true from that moment on
 * @param onOut is told that a response has been written to its socket
 */
export function responsesThatEnd(
  ending: () => boolean,
  onOut: (socket: Socket, res: ServerResponse) => void,
) {
  return class EndingResponse<
    Request extends IncomingMessage = IncomingMessage,
  > extends ServerResponse<Request> {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      if (ending()) this.shouldKeepAlive = false;
      return typeof reason === 'string'
        ? super.writeHead(status, reason, headers)
        : super.writeHead(status, reason);
    }

    /** Node calls this once the last byte is written. A listener for that would cost each response an object. */
    override detachSocket(socket: Socket): void {
      super.detachSocket(socket);
      onOut(socket, this);
    }
  };
}
