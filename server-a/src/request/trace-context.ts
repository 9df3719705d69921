/** W3C Trace Context (https://www.w3.org/TR/trace-context/): passed on as it came, never made here. */
import type { IncomingHttpHeaders } from 'node:http';

/** The trace that a request belongs to. */
export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** The `traceparent` header as it came. */
  readonly traceparent: string;
  /** The `tracestate` header as it came, if there was one that can be passed on. */
  readonly tracestate: string | undefined;
}

/** version - trace id - parent id - flags; a later version may go on behind another dash. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;
/** Characters that a later version's header may have; version 00 has 55. */
const TRACEPARENT_MAX = 256;
/** Characters of a tracestate that must be passed on at least, by the specification; ours is also the most. */
const TRACESTATE_MAX = 512;
const PRINTABLE = /^[\x20-\x7e\t]+$/;

/** Reads the trace of a request; undefined when it has none, or one that is not well formed: then there is none to go on with. */
export function traceContextOf(headers: IncomingHttpHeaders): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || traceparent.length > TRACEPARENT_MAX) return undefined;
  const [, version, traceId, more] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || (version === '00' && more !== undefined)) return undefined;
  const state = Array.isArray(tracestate) ? tracestate.join(',') : tracestate;
  const fits = state !== undefined && state.length <= TRACESTATE_MAX && PRINTABLE.test(state);
  return { traceId, traceparent, tracestate: fits ? state : undefined };
}
