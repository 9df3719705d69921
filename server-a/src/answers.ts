/** How answers are written: the accepted body, and JSON onto a context. */
import type { Context } from './request-state.js';

/** Returns the 202 body. It follows from the tracking id alone, so a replay needs nothing more to be byte for byte the same. */
export function acceptedBody(trackingId: string): string {
  return `{"success":true,"message":"Request accepted for processing.","tracking_id":"${trackingId}"}`;
}

/** Writes a JSON text as the answer. */
export function answerJson(
  ctx: Pick<Context, 'status' | 'body' | 'set'>,
  status: number,
  json: string,
): void {
  ctx.status = status;
  ctx.set('Content-Type', 'application/json; charset=utf-8');
  ctx.body = json;
}
