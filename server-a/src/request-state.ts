/** What the layers hand to each other on `ctx.state`: who writes each field, and who reads it. */
import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa';
import type { Client, Registry } from './config/registry.js';
import type { PublishOutcome } from './rabbitmq/publisher.js';
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

/** A claimed idempotency key. */
export interface Claim {
  /** Redis key of its record. */
  readonly record: string;
  readonly owner: string;
  /** Tracking id as 32 hex digits. */
  readonly id: string;
  readonly fingerprint: string;
  /** An earlier attempt with an unknown outcome has taken a unit of quota for this key. */
  readonly paid: boolean;
  /** Tokens of the dead owners from whom the key was taken over, the latest first, separated by spaces; '' = none. */
  readonly deadOwners: string;
}

/** A unit of quota that this request took. */
export interface Charge {
  /** Redis key of the counter it was taken from, so that a refund finds the same day. */
  readonly counter: string;
  /** Token that it was taken with. */
  readonly token: string;
}

/** The state of one request. A field is undefined until its layer has run. */
export interface RequestState {
  /** observe-request -> all: one consistent configuration for the whole request. */
  registry?: Registry;
  /** observe-request -> all that log, publish: the trace that the request belongs to. */
  trace?: TraceContext;
  /** idempotency (keyed) or validation (unkeyed) -> validation: the body's bytes. */
  rawBody?: Buffer;
  /** idempotency -> observe-request: the answer is an earlier one's. */
  replayed?: boolean;
  /** idempotency -> quota, publish: the key's claim. */
  claim?: Claim;
  /** idempotency (keyed) or publish (unkeyed) -> errors, observe-request: UUIDv4. */
  trackingId?: string;
  /** idempotency, auth -> everybody: whose request this is. Set for registered keys, active or not. */
  client?: Client;
  /** validation -> provider-gate, publish. */
  request?: SendRequest;
  /** provider-gate -> publish: canonical names in order; empty = Server B chooses. */
  providersEffective?: readonly string[];
  /** quota -> idempotency: the unit to give back if the message turns out not to be in the broker. */
  charge?: Charge;
  /** publish -> quota, idempotency: what became of the message; undefined = nothing was sent. */
  published?: PublishOutcome;
}

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
  ctx: Context,
  name: Name,
): NonNullable<RequestState[Name]> {
  const value = ctx.state[name];
  if (value === undefined || value === null) throw new Error(`no earlier layer has set ctx.state.${name}`);
  return value;
}
