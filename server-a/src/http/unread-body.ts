import type { IncomingMessage, ServerResponse } from 'node:http';
import { connectionOf } from './connection.js';

/** Bytes of a body that are read and thrown away for the sake of the connection: it costs less than a new one. */
const THROWN_AWAY_BYTES = 256 * 1024;

/**
 * Decides what becomes of a body that its request's answer does not wait for; call it before the answer is written. What is
 * left of a small body is thrown away as it comes. Behind any other, the connection is closed: the next request would have
 * to wait for all of it.
 */
export function settleUnreadBody({
  req,
  res,
}: {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}): void {
  if (req.complete) return;
  req.resume();
  // Chunked: nobody knows how much comes.
  const length = Number(req.headers['content-length'] ?? Number.NaN);
  const keeps = length <= THROWN_AWAY_BYTES && res.shouldKeepAlive;
  if (!keeps) connectionOf(req.socket)?.closeAfter(res);
}
