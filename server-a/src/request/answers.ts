/** How answers are made up, and written: the accepted body, and JSON with its headers. */
import type { Context, SendContext } from './state.js';

const TYPE_OF_JSON = 'application/json; charset=utf-8';

/** Returns the 202 body. It follows from the tracking id alone, so a replay needs nothing more to be byte for byte the same. */
export function acceptedBody(trackingId: string): string {
  return `{"success":true,"message":"Request accepted for processing.","tracking_id":"${trackingId}"}`;
}

/**
 * Sets a header of the answer, in place of an earlier one of this name. Kept on the state until {@link writeAnswer}, which
 * hands all of them to Node at once: that costs a fraction of Koa's or Node's own `set`, header by header.
 */
export function setHeader({ state }: Pick<Context, 'state'>, name: string, value: string): void {
  state.headers ??= [];
  const { headers } = state;
  const at = headers.indexOf(name);
  if (at < 0) headers.push(name, value);
  else headers[at + 1] = value;
}

/** Takes a header away again. */
export function removeHeader({ state: { headers } }: Pick<Context, 'state'>, name: string): void {
  const at = headers?.indexOf(name) ?? -1;
  if (at >= 0) headers?.splice(at, 2);
}

/** Returns a header of the answer so far. */
export function headerOf({ state: { headers } }: Pick<Context, 'state'>, name: string): string | undefined {
  const at = headers?.indexOf(name) ?? -1;
  return at < 0 ? undefined : headers?.[at + 1];
}

/** Makes a JSON text the answer, in place of an earlier one; it is written when all layers are done. */
export function answerJson({ res, state }: SendContext, status: number, json: string): void {
  // As Node does when it writes the status: a status that is none is refused while there can be another answer.
  if (!(status >= 100 && status <= 999)) throw new RangeError(`no HTTP status: ${status}`);
  res.statusCode = status;
  state.json = json;
}

/** Writes the JSON answer; false = there is none, or one has been written. */
export function writeAnswer({ res, state: { json, headers = [] } }: Pick<Context, 'res' | 'state'>): boolean {
  if (json === undefined || res.headersSent) return false;
  headers.push('Content-Type', TYPE_OF_JSON, 'Content-Length', String(Buffer.byteLength(json)));
  res.writeHead(res.statusCode, headers);
  res.end(json);
  return true;
}
