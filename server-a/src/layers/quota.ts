import { setHeader } from '../answers.js';
import { attemptTokens } from '../attempt-tokens.js';
import { utcDay } from '../clock.js';
import type { Client } from '../config/registry.js';
import { ApiError } from '../errors.js';
import { giveUnitBack } from '../give-unit-back.js';
import { notAccepted } from '../not-accepted.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import { QUOTA_TTL_SECONDS, quotaCounterKey } from '../redis/keys.js';
import type { ConsumeReply, Scripts } from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import { type Charge, type Context, fromEarlierLayer, type Layer } from '../request-state.js';
import type { Settlement } from '../settlement.js';

/** What this layer needs. */
export interface QuotaParts {
  readonly scripts: Scripts;
  readonly settlement: Settlement;
  readonly publisher: Pick<Publisher, 'refuse'>;
  /** First part of the counters' keys. */
  readonly prefix: string;
}

/**
 * Takes one unit of the client's daily quota, or refuses with 429; gives it back when the message certainly did not
 * reach the broker. A key that an earlier attempt has paid for is not charged again.
 */
export function quota(parts: QuotaParts): Layer {
  const { scripts, publisher, prefix } = parts;
  const nextToken = attemptTokens();
  return async function quota(ctx, next) {
    const { claim } = ctx.state;
    // Charging for what cannot be sent would only have to be undone.
    const refusal = publisher.refuse('sms');
    if (refusal !== undefined) throw notAccepted(claim, new Error(`publisher: ${refusal}`));
    if (claim?.paid !== true) {
      const client = fromEarlierLayer(ctx, 'client');
      const { day, secondsLeft } = utcDay();
      const charge: Charge = {
        counter: quotaCounterKey(prefix, client.key, day),
        token: claim?.owner ?? nextToken(),
      };
      let reply: ConsumeReply;
      try {
        reply = await scripts.consume({
          counter: charge.counter,
          token: charge.token,
          limit: client.dailyQuota,
          ttlSeconds: QUOTA_TTL_SECONDS,
          deadOwners: claim?.deadOwners ?? '',
        });
      } catch (error) {
        // Its reply was lost, so a unit may be gone that nobody has.
        if (error instanceof RedisUnavailable && error.maybeRan) void giveUnitBack(parts, charge, false);
        throw error;
      }
      tell(ctx, client, reply, secondsLeft);
      ctx.state.charge = charge;
    }
    try {
      await next();
    } catch (error) {
      await giveBack(ctx);
      throw error;
    }
  };

  /** Tells the sender where it is, or that it is at the end. */
  function tell(
    ctx: Context,
    { dailyQuota }: Client,
    { status, used }: ConsumeReply,
    secondsLeft: number,
  ): void {
    // draft-ietf-httpapi-ratelimit-headers: q = units, w = window, r = units left, t = seconds to the reset.
    setHeader(ctx, 'RateLimit-Policy', `"daily";q=${dailyQuota};w=${QUOTA_TTL_SECONDS}`);
    setHeader(ctx, 'RateLimit', `"daily";r=${Math.max(0, dailyQuota - used)};t=${secondsLeft}`);
    if (status === 'consumed') return;
    throw new ApiError('TOO_MANY_REQUESTS', {
      details: { daily_quota: dailyQuota },
      headers: { 'Retry-After': String(secondsLeft) },
    });
  }

  async function giveBack(ctx: Context): Promise<void> {
    const { charge, published, claim } = ctx.state;
    if (charge === undefined) return;
    // What they said is no longer so.
    ctx.remove('RateLimit');
    ctx.remove('RateLimit-Policy');
    if (published?.kind !== 'unknown') {
      await giveUnitBack(parts, charge, true);
    } else if (claim === undefined) {
      // With a key, the unit stays with the key, and the idempotency layer settles both together.
      void published.late.then((outcome) =>
        outcome === 'refused' ? giveUnitBack(parts, charge, true) : undefined,
      );
    }
  }
}
