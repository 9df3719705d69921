import { clientOf } from '../client-lookup.js';
import { ApiError } from '../errors.js';
import type { Layer } from '../request-state.js';

/** Lets requests of registered, active clients through; 401 for every other. */
export function auth(): Layer {
  return function auth(ctx, next) {
    if (clientOf(ctx)?.isActive !== true) throw new ApiError('UNAUTHORIZED');
    return next();
  };
}
