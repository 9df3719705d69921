import type { Context } from '../request/state.js';

/** Path of the send endpoint, from the specification. */
export const SEND_PATH = '/api/v1/sms/send';

/** Path at which many messages are sent with one request. */
export const BATCH_PATH = '/api/v1/sms/send-batch';

/** Beginning of the path at which a client asks what is known of a key; the key follows, percent-encoded. */
export const REQUESTS_PATH = '/api/v1/sms/requests/';

/** True for a request to send, which the layers of pipeline.ts serve. */
export function isSendRequest(ctx: Pick<Context, 'path' | 'req'>): boolean {
  // Koa parses the target for `path`; with nothing behind its path, a look at the target itself is enough.
  return ctx.req.method === 'POST' && (ctx.req.url === SEND_PATH || ctx.path === SEND_PATH);
}

/** True for a request to send a batch. */
export function isBatchRequest(ctx: Pick<Context, 'path' | 'req'>): boolean {
  return ctx.req.method === 'POST' && ctx.path === BATCH_PATH;
}
