import { answerJson, setHeader } from '../answers.js';
import { isoNow } from '../clock.js';
import { ApiError, renderError, toApiError } from '../errors.js';
import type { Context, Layer } from '../request-state.js';
import { turnEnd } from '../turn-end.js';

/** Turns whatever the layers within throw, or leave unanswered, into an error body. The only writer of error bodies. */
export function reportErrors(): Layer {
  return async function reportErrors(ctx, next) {
    try {
      await next();
    } catch (thrown) {
      await turnEnd();
      answerError(ctx, toApiError(thrown));
      return;
    }
    if (ctx.body !== undefined && ctx.body !== null) return;
    if (ctx.status === 404) answerError(ctx, new ApiError('NOT_FOUND'));
    // The router sets Allow, and 501 for methods that no route has: to a sender that is the same fault.
    else if (ctx.status === 405 || ctx.status === 501) answerError(ctx, new ApiError('METHOD_NOT_ALLOWED'));
  };
}

function answerError(ctx: Context, error: ApiError): void {
  for (const [name, value] of Object.entries(error.headers)) setHeader(ctx, name, value);
  answerJson(ctx, error.status, renderError(error, ctx.state.trackingId, isoNow()));
}
