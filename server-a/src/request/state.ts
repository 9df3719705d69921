/** What the layers hand to each other on `ctx.state`: who writes each field, and who reads it. */
import type { Middleware as KoaMiddleware, Next, ParameterizedContext } from 'koa';
import type { Admitted, Attempt } from '../attempt/attempt.js';
import type { ApiKey, Client, Provider, Registry } from '../config/registry.js';
import type { ApiError } from '../errors.js';
import type { PublishOutcome } from '../rabbitmq/publisher.js';
import type { Standing } from '../redis/calls.js';
import type { BatchItem } from './batch.js';
import type { TraceContext } from './trace-context.js';

/** A send request, checked. */
export interface SendRequest {
  /** E.164. */
  readonly to: string;
  readonly text: string;
  readonly ttlSeconds: number;
  /** As the sender wrote them; undefined = absent or null. */
  readonly providers: readonly string[] | undefined;
}

/** A refusal of the provider gate, and the known providers that the request named. */
export interface GateRefusal {
  readonly refusal: ApiError;
  readonly providers: readonly Provider[];
}

/** What became of a batch. */
export interface BatchEnd {
  /** How many items ended how: `accepted`, `replayed`, or an error code in lower case. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Units of the day's quota that are left; undefined = the quota was not asked. */
  readonly quotaLeft: number | undefined;
  /** Of each item, in order; undefined = it has none. */
  readonly trackingIds: readonly (string | undefined)[];
}

/**
 * The state of one request. A field is undefined until its layer has run. All are there from the beginning: an object that
 * grows by one field after the other is copied again and again.
 */
export class RequestState {
  /** observe-request -> all: one consistent configuration for the whole request. */
  registry: Registry | undefined = undefined;
  /** observe-request -> all that log, publish: the trace that the request belongs to. */
  trace: TraceContext | undefined = undefined;
  /** identify -> all that log: the API key that the request came with. Set for registered keys, good or not. */
  apiKey: ApiKey | undefined = undefined;
  /** identify -> everybody: whose request this is; inactive where its API key has expired. */
  client: Client | undefined = undefined;
  /** attempt/time-limits -> every wait: until when the request may wait for services, by performance.now(). */
  deadline: number | undefined = undefined;
  /** look-up -> observe-request: the idempotency key that is asked about. */
  key: string | undefined = undefined;
  /** idempotency -> quota: the request's work on its idempotency key; undefined = the request has none. */
  attempt: Attempt | undefined = undefined;
  /** validation -> idempotency, quota: the body's bytes; undefined = the body was not read, or could not be. */
  rawBody: Buffer | undefined = undefined;
  /** validation (single) or batch (of an item) -> idempotency, quota: what the JSON says; undefined = it is none. */
  parsed: unknown = undefined;
  /** batch-body -> send-items: the messages of a batch. */
  items: readonly BatchItem[] | undefined = undefined;
  /** send-items -> observe-request: what became of them. */
  batch: BatchEnd | undefined = undefined;
  /** validation -> provider-gate, publish. */
  request: SendRequest | undefined = undefined;
  /** provider-gate -> publish: canonical names in order; empty = Server B chooses. */
  providersEffective: readonly string[] | undefined = undefined;
  /** provider-gate -> observe-request: the refusal, to be counted if it stands. */
  blocked: GateRefusal | undefined = undefined;
  /** quota -> publish, idempotency: the key is claimed and its unit charged. */
  admitted: Admitted | undefined = undefined;
  /** quota -> idempotency: what stands under the key instead; `nothing`, or `unanswered` = Redis did not say. */
  standing: Standing | { readonly status: 'nothing' } | { readonly status: 'unanswered' } | undefined =
    undefined;
  /** publish -> idempotency, quota: how the publish ended; undefined = it was not begun. */
  published: PublishOutcome | undefined = undefined;
  /** idempotency (keyed) or publish (unkeyed) -> errors, observe-request: UUIDv4. */
  trackingId: string | undefined = undefined;
  /** idempotency -> observe-request: the answer is an earlier one's. */
  replayed: boolean | undefined = undefined;
  /** request/answers, for all that answer: names and values of the answer's headers, in turn. */
  headers: string[] | undefined = undefined;
  /** request/answers, for all that answer: the answer, a JSON text; its status is Node's own. */
  json: string | undefined = undefined;
}

/** What the layers behind the reading of a body need: a request's own context, or one of a batch's items. */
export interface SendContext {
  readonly state: RequestState;
  readonly res: { statusCode: number };
}

/** A layer that serves a single request and an item of a batch alike. */
export type SendLayer = (ctx: SendContext, next: Next) => Promise<void>;

/** Koa's context with our state. */
export type Context = ParameterizedContext<RequestState>;

/** A layer of the pipeline. */
export type Layer = KoaMiddleware<RequestState>;

/**
 * Returns a field that an earlier layer must have set.
 *
 * @throws Error when it has not: the layers are in the wrong order
 */
export function fromEarlierLayer<Name extends keyof RequestState>(
  ctx: Pick<SendContext, 'state'>,
  name: Name,
): NonNullable<RequestState[Name]> {
  const value = ctx.state[name];
  if (value === undefined || value === null) throw new Error(`no earlier layer has set ctx.state.${name}`);
  return value;
}
