import { acceptedBody, answerJson } from '../answers.js';
import { isoNow } from '../clock.js';
import { internalError } from '../errors.js';
import { notAccepted } from '../not-accepted.js';
import { type EnvelopeTarget, toMessage } from '../rabbitmq/envelope.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import { fromEarlierLayer, type Layer } from '../request-state.js';
import { newTrackingId } from '../tracking-id.js';

/** What this layer needs. */
export interface PublishParts {
  readonly publisher: Publisher;
  readonly target: EnvelopeTarget;
}

/** Hands the message to the broker: 202 once it is confirmed to be on disk, 500 otherwise. */
export function publish({ publisher, target }: PublishParts): Layer {
  return async function publish(ctx) {
    const { to, text, ttlSeconds, providers } = fromEarlierLayer(ctx, 'request');
    ctx.state.trackingId ??= newTrackingId();
    const { trackingId } = ctx.state;
    const message = toMessage(
      {
        trackingId,
        client: fromEarlierLayer(ctx, 'client'),
        to,
        text,
        ttlSeconds,
        providersOriginal: providers,
        providersEffective: fromEarlierLayer(ctx, 'providersEffective'),
        fingerprints: fromEarlierLayer(ctx, 'registry').fingerprints,
        createdAt: isoNow(),
        trace: ctx.state.trace,
      },
      target,
    );
    const outcome = await publisher.publish(message);
    ctx.state.published = outcome;
    if (outcome.kind !== 'confirmed') {
      const cause = new Error(`publish: ${outcome.reason}`);
      throw outcome.kind === 'refused'
        ? notAccepted(ctx.state.claim, cause)
        : internalError('unknown', cause);
    }
    answerJson(ctx, 202, acceptedBody(trackingId));
  };
}
