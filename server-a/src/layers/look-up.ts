import { ApiError, internalError } from '../errors.js';
import { REQUESTS_PATH } from '../http/paths.js';
import type { KeyNames } from '../redis/keys.js';
import type { Scripts } from '../redis/scripts.js';
import { answerJson, setHeader } from '../request/answers.js';
import { idempotencyKeyOfPath } from '../request/idempotency-key.js';
import { type Lives, renderKnown } from '../request/known-of-key.js';
import { fromEarlierLayer, type Layer } from '../request/state.js';

/** What this layer needs. */
export interface LookUpParts {
  readonly scripts: Pick<Scripts, 'lookUp'>;
  readonly names: KeyNames;
  readonly lives: Lives;
  /** Milliseconds that the call to Redis may take. */
  readonly timeoutMs: number;
}

/**
 * `GET /api/v1/sms/requests/{key}`: what is known of one of the client's own keys. One read of one record: no record is
 * changed, no unit charged, no twin waited for.
 */
export function lookUp({ scripts, names, lives, timeoutMs }: LookUpParts): Layer {
  return async function lookUp(ctx) {
    const client = fromEarlierLayer(ctx, 'client');
    const key = idempotencyKeyOfPath(ctx.path.slice(REQUESTS_PATH.length));
    ctx.state.key = key;
    try {
      const reply = await scripts.lookUp(names.record(client.id, key), timeoutMs);
      if ('id' in reply) ctx.state.trackingId = reply.id;
      answerJson(ctx, 200, renderKnown(reply, lives));
      setHeader(ctx, 'Cache-Control', 'no-store');
    } catch (thrown) {
      throw thrown instanceof ApiError ? thrown : internalError('unknown', thrown);
    }
  };
}
