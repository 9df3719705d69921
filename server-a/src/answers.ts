/** How answers are written: the accepted body, and JSON onto a context. */
import type { Context } from './request-state.js';

/** Returns the 202 body. It follows from the tracking id alone, so a replay needs nothing more to be byte for byte the same. */
export function acceptedBody(trackingId: string): string {
  return `{"success":true,"message":"Request accepted for processing.","tracking_id":"${trackingId}"}`;
}

/** Sets a header of the answer: on Node's response, because Koa's own `set` costs more than all else of an answer. */
export function setHeader(ctx: Pick<Context, 'res'>, name: string, value: string): void {
  ctx.res.setHeader(name, value);
}

/** Writes a JSON text as the answer. */
export function answerJson(
  ctx: Pick<Context, 'status' | 'body' | 'res'>,
  status: number,
  json: string,
): void {
  ctx.status = status;
  setHeader(ctx, 'Content-Type', 'application/json; charset=utf-8');
  ctx.body = json;
}
