/** Runs the layers of a request without what Koa does for any application. */
import type { Next } from 'koa';

const DONE = Promise.resolve();

/**
 * Returns a function that runs layers one within the other, the first outermost. One `next` serves all layers of a request
 * (koa-compose makes one for each), so a layer may call it once at the most.
 *
 * Where a layer throws before anything was waited for, `next` throws, and so does the function: made a promise that nobody
 * listens to yet, a refusal would cost Node's search for forgotten ones. {@link afterwards} catches both.
 */
export function composed<Ctx>(
  layers: readonly ((ctx: Ctx, next: Next) => Promise<void>)[],
): (ctx: Ctx) => Promise<void> {
  return (ctx) => {
    let at = 0;
    const next = (): Promise<void> => {
      const layer = layers[at];
      at += 1;
      return layer === undefined ? DONE : layer(ctx, next);
    };
    return next();
  };
}

/**
 * Goes on to the layers further in, and then does one thing or the other. Throws what `failed` throws, where they have thrown
 * before anything was waited for; in every other case it rejects.
 */
export function afterwards<T>(
  next: () => Promise<void>,
  done: () => T | Promise<T>,
  failed: (thrown: unknown) => T | Promise<T>,
): Promise<T> {
  let rest: Promise<void>;
  try {
    rest = next();
  } catch (thrown) {
    return Promise.resolve(failed(thrown));
  }
  return rest.then(done, failed);
}
