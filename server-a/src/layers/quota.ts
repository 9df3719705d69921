import type { Next } from 'koa';
import type { Admission } from '../attempt/admission.js';
import type { Exceeded } from '../attempt/admission-answers.js';
import type { Attempt } from '../attempt/attempt.js';
import { bodyDigest } from '../attempt/body-digest.js';
import { outcomeOf } from '../attempt/outcomes.js';
import type { Settlement } from '../attempt/settlement.js';
import { deadlineOf, settleLimitMs } from '../attempt/time-limits.js';
import type { Client } from '../config/registry.js';
import { ApiError, internalError } from '../errors.js';
import { madeOnce } from '../made-once.js';
import type { Metrics } from '../metrics.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import { QUOTA_TTL_SECONDS } from '../redis/keys.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import { removeHeader, setHeader } from '../request/answers.js';
import { fromEarlierLayer, type SendContext, type SendLayer } from '../request/state.js';

/** What this layer needs. */
export interface QuotaParts {
  readonly admission: Admission;
  readonly settlement: Settlement;
  readonly publisher: Pick<Publisher, 'whyNot'>;
  /** Milliseconds that a call to Redis may take. */
  readonly timeoutMs: number;
  /** Counts requests that their client's limit per second has refused. */
  readonly throttled: Metrics['throttled'];
  /** Counts requests of clients that held their share of the slots. */
  readonly overShare: Metrics['overShare'];
}

/**
 * Takes one unit of the client's daily quota, or refuses with 429: no unit is left, or the client sends more new messages
 * in a second than it may. With an idempotency key, the same call claims the key; where the key is answered or in other
 * hands, the request ends here, and the idempotency layer answers it.
 */
export function quota({
  admission,
  settlement,
  publisher,
  timeoutMs,
  throttled,
  overShare,
}: QuotaParts): SendLayer {
  return function quota(ctx, next) {
    // A charge for a message that cannot be sent would only have to be undone.
    const client = fromEarlierLayer(ctx, 'client');
    const reason = publisher.whyNot('sms', client.id);
    if (reason === 'over_share') overShare.inc({ client: client.name });
    if (reason !== undefined) throw internalError('no', new Error(`publisher: ${reason}`));
    const { attempt } = ctx.state;
    return attempt === undefined ? chargeUnkeyed(ctx, next) : admit(ctx, next, attempt);
  };

  function admit(ctx: SendContext, next: Next, attempt: Attempt): Promise<void> {
    const digest = bodyDigest(ctx.state);
    return admission.admit(attempt, digest, deadlineOf(ctx)).then(
      (reply) => {
        if (reply.status === 'exceeded') throw exceeded(attempt.client, reply);
        if (reply.status === 'throttled') {
          // The key has no record, and the limit ends within a second: so the key is not asked, and the refusal is not
          // stored.
          ctx.state.standing = { status: 'nothing' };
          throw tooManyInASecond(attempt.client);
        }
        if (reply.status !== 'admitted') {
          ctx.state.standing = reply;
          return undefined;
        }
        ctx.state.admitted = reply;
        ctx.state.trackingId = reply.id;
        if (!reply.takenOver) showQuota(ctx, attempt.client, reply.used, reply.secondsLeftOfDay);
        return next();
      },
      (error: unknown) => {
        // Where `admit` certainly did not run, the idempotency layer asks what stands under the key.
        if (!(error instanceof RedisUnavailable && error.maybeRan)) throw internalError('no', error);
        ctx.state.standing = { status: 'unanswered' };
        throw internalError('unknown', error);
      },
    );
  }

  async function chargeUnkeyed(ctx: SendContext, next: Next): Promise<void> {
    const sender = fromEarlierLayer(ctx, 'apiKey');
    const { client } = sender;
    const reply = await admission.consume(sender, deadlineOf(ctx));
    if (reply.status === 'exceeded') throw exceeded(client, reply);
    if (reply.status === 'throttled') throw tooManyInASecond(client);
    showQuota(ctx, client, reply.used, reply.secondsLeftOfDay);
    try {
      await next();
    } catch (error) {
      hideQuota(ctx);
      await giveUnitBack(ctx, reply.counterKey);
      throw error;
    }
  }

  function tooManyInASecond(client: Client): ApiError {
    throttled.inc({ client: client.name });
    return secondUsedUp(client);
  }

  /** Gives back the unit of a request without a key, where its message was certainly not sent, now or later. */
  async function giveUnitBack(ctx: SendContext, counterKey: string): Promise<void> {
    const { published, trackingId } = ctx.state;
    const sender = fromEarlierLayer(ctx, 'apiKey');
    const end = published?.end ?? 'not_sent';
    const unitOf = (ended: typeof end) => outcomeOf({ end: ended, keyed: false, openBefore: false }).unit;
    if (unitOf(end) === 'given_back') {
      await settlement.refund(sender, counterKey, trackingId, settleLimitMs(deadlineOf(ctx), timeoutMs));
    } else if (published?.end === 'timed_out') {
      void published.late.then((late) =>
        unitOf(late) === 'given_back' ? settlement.refund(sender, counterKey, trackingId) : undefined,
      );
    }
  }
}

/** The `RateLimit-Policy` of a client. */
const policyOf = madeOnce(({ dailyQuota }: Client) => `"daily";q=${dailyQuota};w=${QUOTA_TTL_SECONDS}`);

/** draft-ietf-httpapi-ratelimit-headers: q = units, w = window, r = units left, t = seconds to the reset. */
function quotaHeaders(client: Client, used: number, secondsLeftOfDay: number) {
  return {
    'RateLimit-Policy': policyOf(client),
    RateLimit: `"daily";r=${Math.max(0, client.dailyQuota - used)};t=${secondsLeftOfDay}`,
  };
}

function showQuota(ctx: SendContext, client: Client, used: number, secondsLeftOfDay: number): void {
  const headers = quotaHeaders(client, used, secondsLeftOfDay);
  setHeader(ctx, 'RateLimit-Policy', headers['RateLimit-Policy']);
  setHeader(ctx, 'RateLimit', headers.RateLimit);
}

/** The bucket is full again after a second in which nothing new comes. */
function secondUsedUp({ maxPerSecond }: Client): ApiError {
  return new ApiError('TOO_MANY_REQUESTS', {
    message: 'The client sends too many new messages in a second.',
    details: { reason: 'rate', max_per_second: maxPerSecond },
    headers: {
      'RateLimit-Policy': `"second";q=${maxPerSecond};w=1`,
      RateLimit: '"second";r=0;t=1',
      'Retry-After': '1',
    },
  });
}

/** Removes the quota's headers: the unit that they counted is given back, or belongs to another attempt. */
export function hideQuota(ctx: SendContext): void {
  removeHeader(ctx, 'RateLimit');
  removeHeader(ctx, 'RateLimit-Policy');
}

function exceeded(client: Client, { secondsLeftOfDay, dayEndMs }: Exceeded): ApiError {
  return new ApiError('TOO_MANY_REQUESTS', {
    details: { reason: 'daily_quota', daily_quota: client.dailyQuota },
    headers: {
      ...quotaHeaders(client, client.dailyQuota, secondsLeftOfDay),
      'Retry-After': String(secondsLeftOfDay),
    },
    passesAtMs: dayEndMs,
  });
}
