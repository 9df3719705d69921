import { outcomeOf } from '../attempt/outcomes.js';
import { deadlineOf, publishLimitMs } from '../attempt/time-limits.js';
import { trackingIdDraws } from '../attempt/tracking-id.js';
import { isoNow } from '../clock.js';
import { internalError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { type EnvelopeTarget, toMessage } from '../rabbitmq/envelope.js';
import type { OutgoingMessage, Publisher, PublishOutcome } from '../rabbitmq/publisher.js';
import { acceptedBody, answerJson } from '../request/answers.js';
import { fromEarlierLayer, type SendContext, type SendLayer } from '../request/state.js';

/** What this layer needs. */
export interface PublishParts {
  readonly publisher: Publisher;
  readonly target: EnvelopeTarget;
  /** Milliseconds to wait for the broker's confirm. */
  readonly timeoutMs: number;
  /** Counts requests of clients that held their share of the slots. */
  readonly overShare: Metrics['overShare'];
}

/** Hands the message to the broker: 202 once it is confirmed to be on disk, 500 otherwise. */
export function publish({ publisher, target, timeoutMs, overShare }: PublishParts): SendLayer {
  const drawTrackingId = trackingIdDraws();
  return function publish(ctx) {
    const trackingId = ctx.state.admitted?.id ?? drawTrackingId();
    ctx.state.trackingId = trackingId;
    return publishInTime(ctx, messageOf(ctx, trackingId)).then((outcome) => answer(ctx, trackingId, outcome));
  };

  function answer(ctx: SendContext, trackingId: string, outcome: PublishOutcome): void {
    const { admitted } = ctx.state;
    ctx.state.published = outcome;
    // The quota layer has asked this before the charge, but other requests may have taken the slots since.
    if (outcome.end === 'not_sent' && outcome.reason === 'over_share') {
      overShare.inc({ client: fromEarlierLayer(ctx, 'client').name });
    }
    const { accepted } = outcomeOf({
      end: outcome.end,
      keyed: admitted !== undefined,
      openBefore: admitted?.takenOver === true,
    });
    if (accepted !== 'yes') throw internalError(accepted, new Error(`publish: ${describe(outcome)}`));
    answerJson(ctx, 202, acceptedBody(trackingId));
  }

  /**
   * Publishes, unless the request's time or the attempt's lease is over: after the lease, another attempt may own the key.
   */
  function publishInTime(ctx: SendContext, message: OutgoingMessage): Promise<PublishOutcome> {
    const { admitted } = ctx.state;
    const limitMs = publishLimitMs(deadlineOf(ctx), timeoutMs);
    if (limitMs === 0) return Promise.resolve(publisher.notSent('sms', 'out_of_time'));
    if (admitted !== undefined && performance.now() >= admitted.leaseEndsAt) {
      return Promise.resolve(publisher.notSent('sms', 'lease_over'));
    }
    return publisher.publish(message, limitMs);
  }

  function messageOf(ctx: SendContext, trackingId: string): OutgoingMessage {
    return toMessage(
      {
        trackingId,
        client: fromEarlierLayer(ctx, 'client'),
        request: fromEarlierLayer(ctx, 'request'),
        providersEffective: fromEarlierLayer(ctx, 'providersEffective'),
        fingerprints: fromEarlierLayer(ctx, 'registry').fingerprints,
        createdAt: isoNow(),
        trace: ctx.state.trace,
      },
      target,
    );
  }
}

function describe(outcome: PublishOutcome): string {
  return outcome.end === 'not_sent' ? `${outcome.end} (${outcome.reason})` : outcome.end;
}
