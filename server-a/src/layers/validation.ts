import { isUtf8 } from 'node:buffer';
import { invalidPayload } from '../errors.js';
import { readBody } from '../request-body.js';
import { checkSendRequest } from '../request-schema.js';
import type { Layer } from '../request-state.js';

/** Parses and checks the body; 400 with every fault by field. */
export function validation(): Layer {
  return async function validation(ctx, next) {
    const checked = checkSendRequest(parse(ctx.state.rawBody ?? (await readBody(ctx))));
    if ('faults' in checked) throw invalidPayload(checked.faults);
    ctx.state.request = checked.request;
    await next();
  };
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
