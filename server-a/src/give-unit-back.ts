import type { Scripts } from './redis/scripts.js';
import { RedisUnavailable } from './redis/unavailable.js';
import type { Charge } from './request-state.js';
import type { Settlement } from './settlement.js';

/**
 * Gives a unit of quota back, now or when Redis is there again, and never twice: a try whose reply was lost may have run,
 * so the next one goes by the token alone.
 *
 * @param certain the unit was taken for certain; false = it may have been
 */
export function giveUnitBack(
  { scripts, settlement }: { readonly scripts: Scripts; readonly settlement: Settlement },
  { counter, token }: Charge,
  certain: boolean,
): Promise<void> {
  let sure = certain;
  return settlement.settle('refund', async () => {
    try {
      await scripts.refund({ counter, token, certain: sure });
    } catch (error) {
      if (error instanceof RedisUnavailable && error.maybeRan) sure = false;
      throw error;
    }
  });
}
