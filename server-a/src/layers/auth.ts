import { ApiError } from '../errors.js';
import type { SendLayer } from '../request/state.js';

/** Lets requests of registered, active clients through; 401 for every other. */
export function auth(): SendLayer {
  return function auth(ctx, next) {
    if (ctx.state.client?.isActive !== true) throw new ApiError('UNAUTHORIZED');
    return next();
  };
}
