import { isUtf8 } from 'node:buffer';
import type { Next } from 'koa';
import { invalidPayload } from '../errors.js';
import { readBody } from '../request-body.js';
import { checkSendRequest } from '../request-schema.js';
import type { Context, Layer } from '../request-state.js';

/** Parses and checks the body; 400 with every fault by field. */
export function validation(): Layer {
  // Without `async`, and the one below: a promise that only waits for another would be made for each request.
  return function validation(ctx, next) {
    const { rawBody } = ctx.state;
    return rawBody === undefined ? readFirst(ctx, next) : checkAndGoOn(ctx, rawBody, next);
  };
}

async function readFirst(ctx: Context, next: Next): Promise<void> {
  await checkAndGoOn(ctx, await readBody(ctx), next);
}

function checkAndGoOn(ctx: Context, body: Buffer, next: Next): Promise<void> {
  const checked = checkSendRequest(parse(body));
  if ('faults' in checked) throw invalidPayload(checked.faults);
  ctx.state.request = checked.request;
  return next();
}

function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw invalidPayload([{ field: 'body', message: 'must be UTF-8' }]);
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return parsed;
  } catch {
    throw invalidPayload([{ field: 'body', message: 'must be valid JSON' }]);
  }
}
