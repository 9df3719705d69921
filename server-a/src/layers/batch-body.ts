import { invalidPayload } from '../errors.js';
import { readBatch } from '../request/batch.js';
import { BATCH_BODY_LIMIT_BYTES } from '../request/body.js';
import type { Layer } from '../request/state.js';
import { readJson } from './validation.js';

/** Reads the items of a batch; 400 for what is no batch, 413 and 415 as for a single request. */
export function batchBody(): Layer {
  const read = readJson(BATCH_BODY_LIMIT_BYTES, (ctx, next) => {
    ctx.state.items = readBatch(ctx.state.parsed);
    return next();
  });
  return function batchBody(ctx, next) {
    if (ctx.req.headers['idempotency-key'] !== undefined) {
      const message = 'must be left out: each message of a batch has an idempotency_key';
      throw invalidPayload([{ field: 'Idempotency-Key', message }]);
    }
    return read(ctx, next);
  };
}
