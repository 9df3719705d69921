import { isoNow } from '../clock.js';
import { turnEnds } from '../connection/turn-end.js';
import { ApiError, renderError, toApiError } from '../errors.js';
import { afterwards } from '../http/layers.js';
import { settleUnreadBody } from '../http/unread-body.js';
import { answerJson, setHeader } from '../request/answers.js';
import type { Context, Layer } from '../request/state.js';

/** Turns whatever the layers within throw, or leave unanswered, into an error body. The only writer of error bodies. */
export function reportErrors(): Layer {
  const turnEnd = turnEnds();
  return function reportErrors(ctx, next) {
    return afterwards(
      next,
      () => {
        settleUnreadBody(ctx);
        if (ctx.state.json === undefined) answerUnanswered(ctx);
      },
      async (thrown: unknown) => {
        await turnEnd();
        answerError(ctx, toApiError(thrown));
        settleUnreadBody(ctx);
      },
    );
  };
}

function answerUnanswered(ctx: Context): void {
  if (ctx.body !== undefined && ctx.body !== null) return;
  if (ctx.status === 404) answerError(ctx, new ApiError('NOT_FOUND'));
  else if (ctx.status === 405) answerError(ctx, new ApiError('METHOD_NOT_ALLOWED'));
}

function answerError(ctx: Context, error: ApiError): void {
  for (const [name, value] of Object.entries(error.headers)) setHeader(ctx, name, value);
  answerJson(ctx, error.status, renderError(error, ctx.state.trackingId, isoNow()));
}
