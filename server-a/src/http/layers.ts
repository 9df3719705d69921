/** Runs the layers of a request without what Koa does for any application. */
import type { Next } from 'koa';

const DONE = Promise.resolve();

/**
 * Returns a function that runs layers one within the other, the first outermost, and never throws but rejects. One `next`
 * serves all layers of a request (koa-compose makes one for each), so a layer may call it once at the most.
 */
export function composed<Ctx>(
  layers: readonly ((ctx: Ctx, next: Next) => Promise<void>)[],
): (ctx: Ctx) => Promise<void> {
  return (ctx) => {
    let at = 0;
    const next = (): Promise<void> => {
      const layer = layers[at];
      at += 1;
      if (layer === undefined) return DONE;
      try {
        return Promise.resolve(layer(ctx, next));
      } catch (error) {
        return Promise.reject(error);
      }
    };
    return next();
  };
}
