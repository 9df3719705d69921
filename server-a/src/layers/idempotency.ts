import { hash } from 'node:crypto';
import type { Next } from 'koa';
import { acceptedBody, answerJson, setHeader } from '../answers.js';
import { attemptTokens } from '../attempt-tokens.js';
import { clientOf } from '../client-lookup.js';
import { isoNow } from '../clock.js';
import type { Client } from '../config/registry.js';
import { type ApiError, internalError, invalidPayload, renderError, toApiError } from '../errors.js';
import { giveUnitBack } from '../give-unit-back.js';
import { parseIdempotencyKey } from '../idempotency-key.js';
import type { Log } from '../logging.js';
import type { IdempotencyOutcome, Metrics } from '../metrics.js';
import type { LateOutcome } from '../rabbitmq/publisher.js';
import { idempotencyRecordKey } from '../redis/keys.js';
import type { ClaimReply, ClaimRequest, Scripts } from '../redis/scripts.js';
import { readBody } from '../request-body.js';
import type { Claim, Context, Layer } from '../request-state.js';
import type { Settlement } from '../settlement.js';
import { fromCompact, newTrackingId, toCompact } from '../tracking-id.js';

/** What this layer needs. */
export interface IdempotencyParts {
  readonly scripts: Scripts;
  readonly settlement: Settlement;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Seconds that an answer is kept. */
  readonly ttlSeconds: number;
  /** Milliseconds that a claim is good for: longer than the longest path of a request. */
  readonly leaseMs: number;
  /** A used key with another body: refuse it, instead of replaying and warning. */
  readonly rejectMismatch: boolean;
}

/** Milliseconds that a twin waits for the first one's answer: with its first and last look it still answers within 3 s. */
const TWIN_WAIT_MS = 1900;
/** Milliseconds between a twin's looks: soon at first (most answers are a few milliseconds away), then more rarely. */
const TWIN_PAUSE = { firstMs: 4, maxMs: 100 };
/**
 * Milliseconds that a claim is held for a confirm that did not come in time: longer than a silent connection lasts (two
 * AMQP heartbeats and a half), after which the outcome is settled one way or the other.
 */
const HOLD_MS = 15_000;
/** Characters of the hash that tell one body from another: 60 bits. */
const FINGERPRINT_LENGTH = 10;

/**
 * Lets each idempotency key through once. A later request with the key is given the first one's answer, byte for byte;
 * one that comes meanwhile waits for it, on any replica. After a failure or a crash the key goes on under the tracking
 * id that it got with its first claim.
 */
export function idempotency(parts: IdempotencyParts): Layer {
  const { scripts, metrics, log } = parts;
  // A record must outlive the work on its key, however short answers are kept.
  const openTtlSeconds = Math.max(parts.ttlSeconds, Math.ceil((parts.leaseMs + HOLD_MS) / 1000));
  const nextOwner = attemptTokens();
  const count = outcomeCounters(metrics);

  return function idempotency(ctx, next) {
    const header = ctx.req.headers['idempotency-key'];
    const client = clientOf(ctx);
    // An unregistered or inactive client gets its 401 from the next layer, and leaves nothing in Redis.
    if (header === undefined || client?.isActive !== true) return next();
    return letThroughOnce(ctx, next, client, String(header));
  };

  async function letThroughOnce(ctx: Context, next: Next, client: Client, header: string): Promise<void> {
    const key = parseIdempotencyKey(header);
    const body = await readBody(ctx);
    const request: ClaimRequest = {
      record: idempotencyRecordKey(client.key, key),
      candidate: toCompact(newTrackingId()),
      owner: nextOwner(),
      fingerprint: hash('sha256', body, 'base64url').slice(0, FINGERPRINT_LENGTH),
      leaseMs: parts.leaseMs,
      ttlSeconds: openTtlSeconds,
      strict: parts.rejectMismatch,
    };
    let reply = await scripts.claim(request);
    if (reply.status === 'in_flight') reply = await waitForTwin(ctx, request);
    ctx.state.trackingId = fromCompact(reply.id);
    if (reply.status === 'mismatch' || reply.mismatch) reportMismatch(ctx, client);
    if (reply.status === 'mismatch') throw mismatch();
    if (reply.status === 'done') {
      replay(ctx, reply);
      return;
    }
    count(reply.takenOver ? 'taken_over' : 'claimed');
    const { record, owner, fingerprint } = request;
    const { id, paid, deadOwners } = reply;
    const claim: Claim = { record, owner, fingerprint, id, paid, deadOwners };
    ctx.state.claim = claim;
    try {
      await next();
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.code === 'INTERNAL_ERROR') await giveBack(ctx, claim);
      else
        await store(claim, error.status, renderError(error, ctx.state.trackingId, isoNow()), keptFor(error));
      throw error;
    }
    // The answer goes out when it is stored, or when it is known that it cannot be now.
    await store(claim, 202, '', parts.ttlSeconds * 1000);
  }

  /** Looks again until the twin that holds the key has answered or given up; then this one replays, or goes on. */
  async function waitForTwin(
    ctx: Context,
    request: ClaimRequest,
  ): Promise<Exclude<ClaimReply, { status: 'in_flight' }>> {
    count('waited');
    const waitUntil = performance.now() + TWIN_WAIT_MS;
    for (let pauseMs = TWIN_PAUSE.firstMs; ; pauseMs = Math.min(2 * pauseMs, TWIN_PAUSE.maxMs)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const reply = await scripts.claim(request).catch((error: unknown) => {
        throw internalError('unknown', error);
      });
      if (reply.status !== 'in_flight') return reply;
      if (performance.now() + pauseMs > waitUntil) {
        ctx.state.trackingId = fromCompact(reply.id);
        throw internalError(
          'unknown',
          new Error('the request that holds this idempotency key has not ended'),
        );
      }
    }
  }

  /** Milliseconds that a refusal is kept: no longer than it tells the sender to wait. */
  function keptFor(error: ApiError): number {
    const retryAfter = error.headers['Retry-After'];
    const seconds =
      retryAfter === undefined ? parts.ttlSeconds : Math.min(Number(retryAfter), parts.ttlSeconds);
    return seconds * 1000;
  }

  async function store(claim: Claim, httpStatus: number, body: string, ttlMs: number): Promise<void> {
    const { record, owner, id, fingerprint } = claim;
    const write = () => scripts.store({ record, owner, id, fingerprint, httpStatus, body, ttlMs });
    try {
      if (!(await write())) count('lost');
    } catch (err) {
      count('store_failed');
      parts.settlement.retryLater('store', write, err);
    }
  }

  function release(
    claim: Claim,
    paid: boolean,
    holdMs: number,
    done?: (ours: boolean) => void,
  ): Promise<void> {
    const { record, owner } = claim;
    const write = () => scripts.release({ record, owner, paid, holdMs, ttlSeconds: openTtlSeconds });
    return parts.settlement.settle('release', write, done);
  }

  /** Gives the key back after an INTERNAL_ERROR; while a confirm may still come, holds it and settles it later. */
  async function giveBack(ctx: Context, claim: Claim): Promise<void> {
    const { published } = ctx.state;
    if (published?.kind !== 'unknown') {
      await release(claim, claim.paid, 0);
    } else if (published.reason === 'connection_lost') {
      await release(claim, true, 0);
    } else {
      await release(claim, true, HOLD_MS);
      void published.late.then((outcome) => settleLate(ctx, claim, outcome));
    }
  }

  function settleLate(ctx: Context, claim: Claim, outcome: LateOutcome): Promise<void> {
    const { trackingId, trace } = ctx.state;
    log.warn({ outcome, tracking_id: trackingId, trace_id: trace?.traceId }, 'publish.settled_late');
    if (outcome === 'confirmed') return store(claim, 202, '', parts.ttlSeconds * 1000);
    if (outcome === 'unknown') return release(claim, true, 0);
    const { charge } = ctx.state;
    return release(claim, claim.paid, 0, (ours) => {
      // Not ours any more: the next owner goes on with the unit that is paid.
      if (!ours || charge === undefined) return;
      void giveUnitBack(parts, charge, true);
    });
  }

  function replay(ctx: Context, reply: Extract<ClaimReply, { status: 'done' }>): void {
    ctx.state.replayed = true;
    count('replayed');
    setHeader(ctx, 'Idempotent-Replayed', 'true');
    if (reply.httpStatus === 202) {
      answerJson(ctx, 202, acceptedBody(fromCompact(reply.id)));
      return;
    }
    // Kept no longer than its Retry-After, so what is left of the record is what is left to wait.
    if (reply.httpStatus === 429 || reply.httpStatus === 503) {
      setHeader(ctx, 'Retry-After', String(Math.max(1, Math.ceil(reply.leftMs / 1000))));
    }
    answerJson(ctx, reply.httpStatus, reply.body);
  }

  function reportMismatch(ctx: Context, client: Client): void {
    count('mismatch');
    setHeader(ctx, 'Idempotency-Mismatch', 'true');
    log.warn(
      {
        tracking_id: ctx.state.trackingId,
        trace_id: ctx.state.trace?.traceId,
        client: client.name,
        client_api_key: client.maskedKey,
      },
      'idempotency.mismatch',
    );
  }
}

function mismatch(): ApiError {
  return invalidPayload([{ field: 'Idempotency-Key', message: 'was used before, with another body' }]);
}

function outcomeCounters(metrics: Metrics): (outcome: IdempotencyOutcome) => void {
  const counters = {
    claimed: metrics.idempotency.labels('claimed'),
    replayed: metrics.idempotency.labels('replayed'),
    waited: metrics.idempotency.labels('waited'),
    taken_over: metrics.idempotency.labels('taken_over'),
    mismatch: metrics.idempotency.labels('mismatch'),
    store_failed: metrics.idempotency.labels('store_failed'),
    lost: metrics.idempotency.labels('lost'),
  };
  return (outcome) => counters[outcome].inc();
}
