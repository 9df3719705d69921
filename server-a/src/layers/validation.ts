import { isUtf8 } from 'node:buffer';
import type { Next } from 'koa';
import { invalidPayload } from '../errors.js';
import { BODY_LIMIT_BYTES, readBody } from '../request/body.js';
import { isTooDeep, MOST_LEVELS } from '../request/json-depth.js';
import { checkSendRequest } from '../request/schema.js';
import type { Context, Layer, SendContext, SendLayer } from '../request/state.js';

const TOO_DEEP = `must be nested at most ${MOST_LEVELS} levels deep`;

/** Reads, parses and checks the body; 400 with every fault by field, 413 and 415. */
export function validation(): Layer {
  return readJson(BODY_LIMIT_BYTES, checkFields());
}

/**
 * Reads and parses the body.
 *
 * @param limitBytes the most that it may have
 * @param goOn looks at what it says
 */
export function readJson(limitBytes: number, goOn: Layer): Layer {
  return function readJson(ctx, next) {
    const known = ctx.state.rawBody;
    if (known === undefined) return readBody(ctx, limitBytes).then((body) => parseAndGoOn(ctx, body, next));
    return parseAndGoOn(ctx, known, next);
  };

  function parseAndGoOn(ctx: Context, body: Buffer, next: Next) {
    ctx.state.rawBody = body;
    ctx.state.parsed = parse(body);
    return goOn(ctx, next);
  }
}

/** Checks what the body of a request says, or an item of a batch. */
export function checkFields(): SendLayer {
  return function checkFields(ctx: SendContext, next: Next) {
    const checked = checkSendRequest(ctx.state.parsed);
    if ('faults' in checked) throw invalidPayload(checked.faults);
    ctx.state.request = checked.request;
    return next();
  };
}

function parse(body: Buffer): unknown {
  if (!isUtf8(body)) throw invalidPayload([{ field: 'body', message: 'must be UTF-8' }]);
  if (isTooDeep(body)) throw invalidPayload([{ field: 'body', message: TOO_DEEP }]);
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return parsed;
  } catch {
    throw invalidPayload([{ field: 'body', message: 'must be valid JSON' }]);
  }
}
