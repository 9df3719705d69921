import type { Context } from './request-state.js';

/** Path of the send endpoint, from the specification. */
export const SEND_PATH = '/api/v1/sms/send';

/** True for a request to send, which the layers of pipeline.ts serve. */
export function isSendRequest({ path, method }: Pick<Context, 'path' | 'method'>): boolean {
  return path === SEND_PATH && method === 'POST';
}
