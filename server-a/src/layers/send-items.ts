import type { Histogram } from 'prom-client';
import { ownerNames } from '../attempt/owners.js';
import { deadlineOf } from '../attempt/time-limits.js';
import { isoNow } from '../clock.js';
import { type ApiError, internalError, renderError, toApiError } from '../errors.js';
import { composed } from '../http/layers.js';
import type { DayUsage } from '../redis/calls.js';
import { answerJson, headerOf } from '../request/answers.js';
import type { BatchItem } from '../request/batch.js';
import { parseIdempotencyKey } from '../request/idempotency-key.js';
import {
  type Context,
  fromEarlierLayer,
  type Layer,
  RequestState,
  type SendContext,
  type SendLayer,
} from '../request/state.js';
import type { onceForEachKey } from './idempotency.js';
import type { ItemObserver } from './observe-items.js';

/** What this layer needs. */
export interface SendItemsParts {
  /** What the idempotency layer does with a key. */
  readonly letThroughOnce: ReturnType<typeof onceForEachKey>;
  /** Layers that each item passes after that. */
  readonly itemLayers: readonly SendLayer[];
  readonly observeItem: ItemObserver;
  readonly sizes: Pick<Histogram, 'observe'>;
}

/**
 * Sends the items of a batch, all at once, and answers 207 with the answer of each.
 *
 * An item is a small request of its own: it passes the layers that a single request passes, so its answer is the one that
 * the single endpoint would give. No item waits for another one, and all have the request's deadline.
 */
export function sendItems(parts: SendItemsParts): Layer {
  const { letThroughOnce, observeItem, sizes } = parts;
  const runLayers = composed(parts.itemLayers);
  const nextOwner = ownerNames();

  return async function sendItems(ctx) {
    const items = fromEarlierLayer(ctx, 'items');
    const client = fromEarlierLayer(ctx, 'client');
    sizes.observe(items.length);
    const deadline = deadlineOf(ctx);
    const usage: DayUsage = { used: undefined };
    const ended = await Promise.all(
      items.map((item, index) => {
        const itemCtx = contextOf(ctx, item, deadline);
        const end = (error: ApiError | undefined) => {
          const outcome = observeItem(itemCtx, index, error);
          return { outcome, text: textOf(itemCtx, item, index, error), trackingId: itemCtx.state.trackingId };
        };
        // Not async: what such a function keeps while it waits is the largest part of an item's garbage.
        return sendItem(itemCtx, item, usage).then(
          () => end(itemCtx.state.json === undefined ? noAnswer() : undefined),
          (thrown: unknown) => end(toApiError(thrown)),
        );
      }),
    );
    const outcomes: Record<string, number> = {};
    for (const { outcome } of ended) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const { used } = usage;
    const quotaLeft = used === undefined ? undefined : Math.max(0, client.dailyQuota - used);
    ctx.state.batch = { outcomes, quotaLeft, trackingIds: ended.map(({ trackingId }) => trackingId) };
    const results = ended.map(({ text }) => text).join(',');
    const summary = JSON.stringify({ items: items.length, outcomes, quota_left: quotaLeft });
    answerJson(ctx, 207, `{"results":[${results}],"summary":${summary}}`);
  };

  /** Runs an item through its layers. Never throws: the items behind it have to be sent too. */
  function sendItem(ctx: SendContext, { key }: BatchItem, usage: DayUsage): Promise<void> {
    try {
      return letThroughOnce(ctx, () => runLayers(ctx), parseIdempotencyKey(key), nextOwner(), usage);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }
}

const noAnswer = (): ApiError => internalError('unknown', new Error('no layer has answered'));

function contextOf({ state }: Context, { body }: BatchItem, deadline: number): SendContext {
  const { registry, trace, apiKey, client } = state;
  const ofItem = Object.assign(new RequestState(), {
    registry,
    trace,
    apiKey,
    client,
    parsed: body,
    deadline,
  });
  return { state: ofItem, res: { statusCode: 404 } };
}

/** An item of the answer. The item's body is in it byte for byte. */
function textOf(ctx: SendContext, { key }: BatchItem, index: number, error: ApiError | undefined): string {
  const { state, res } = ctx;
  const status = error?.status ?? res.statusCode;
  const body = error === undefined ? state.json : renderError(error, state.trackingId, isoNow());
  const replayed = state.replayed === true ? ',"replayed":true' : '';
  const mismatch = headerOf(ctx, 'Idempotency-Mismatch') === undefined ? '' : ',"mismatch":true';
  const retryAfter = error?.headers['Retry-After'] ?? headerOf(ctx, 'Retry-After');
  const retry = retryAfter === undefined ? '' : `,"retry_after":${retryAfter}`;
  return `{"index":${index},"idempotency_key":${JSON.stringify(key)},"status":${status},"body":${body}${replayed}${mismatch}${retry}}`;
}
