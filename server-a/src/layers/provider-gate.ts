import type { Provider, Registry } from '../config/registry.js';
import { ApiError, shownName } from '../errors.js';
import type { Log } from '../logging/log.js';
import type { Metrics } from '../metrics.js';
import { fromEarlierLayer, type GateRefusal, type SendContext, type SendLayer } from '../request/state.js';

/** Seconds until a sender may try again after NO_PROVIDER_AVAILABLE: the configuration may have changed by then. */
const NO_PROVIDER_RETRY_SECONDS = 60;
const NONE: readonly string[] = Object.freeze([]);

/** Canonical names that pass, in order (empty = Server B chooses), or a refusal. */
export type GateResult = { readonly effective: readonly string[] } | GateRefusal;

/**
 * Refuses, in memory, what no provider could send: 422 for an unknown name, 409 when all named ones are disabled, 503
 * when none was named and none is available. Runs before the quota, so that a doomed request costs its sender nothing.
 *
 * @param enabled false: names are made canonical where they are known, and nothing is refused
 */
export function providerGate({ enabled }: { readonly enabled: boolean }): SendLayer {
  return function providerGate(ctx, next) {
    const registry = fromEarlierLayer(ctx, 'registry');
    const names = fromEarlierLayer(ctx, 'request').providers ?? NONE;
    const result = enabled ? passGate(names, registry) : { effective: canonicalNames(names, registry) };
    if ('refusal' in result) {
      ctx.state.blocked = result;
      throw result.refusal;
    }
    ctx.state.providersEffective = result.effective;
    return next();
  };
}

/** Returns which of the named providers may send, or why none may. */
export function passGate(names: readonly string[], registry: Registry): GateResult {
  if (names.length === 0) {
    return registry.anyProviderAvailable ? { effective: NONE } : { refusal: noProvider(), providers: [] };
  }
  const known: Provider[] = [];
  const unknown: string[] = [];
  for (const name of names) {
    const provider = registry.providersByName.get(name.toLowerCase());
    if (provider !== undefined) {
      if (!known.includes(provider)) known.push(provider);
    } else if (!unknown.includes(name)) unknown.push(name);
  }
  if (unknown.length > 0) {
    const allowed = registry.providers.map(({ name }) => name);
    const refusal = new ApiError('UNKNOWN_PROVIDER', {
      details: { unknown: unknown.map(shownName), allowed },
    });
    return { refusal, providers: known };
  }
  const effective = known.filter(({ isAvailable }) => isAvailable).map(({ name }) => name);
  return effective.length > 0 ? { effective } : { refusal: disabled(known), providers: known };
}

/** Returns distinct names in order: canonical where they are known, as written where they are not. */
export function canonicalNames(names: readonly string[], { providersByName }: Registry): readonly string[] {
  if (names.length === 0) return NONE;
  return [...new Set(names.map((name) => providersByName.get(name.toLowerCase())?.name ?? name))];
}

function disabled(providers: readonly Provider[]): ApiError {
  const names = providers.map(({ name }) => name);
  return names.length === 1
    ? new ApiError('PROVIDER_DISABLED', { details: { provider: names[0] } })
    : new ApiError('ALL_PROVIDERS_DISABLED', { details: { providers: names } });
}

function noProvider(): ApiError {
  const headers = { 'Retry-After': String(NO_PROVIDER_RETRY_SECONDS) };
  return new ApiError('NO_PROVIDER_AVAILABLE', { headers });
}

/** Counts and logs a refusal of the gate, once it is known that the refusal is what the sender is told. */
export function reportBlocked(ctx: SendContext, metrics: Metrics, log: Log): void {
  const { apiKey, blocked, client, trackingId, trace } = ctx.state;
  if (blocked === undefined || client === undefined) return;
  const { refusal, providers } = blocked;
  const names = providers.map(({ name }) => name);
  if (refusal.code === 'UNKNOWN_PROVIDER') metrics.rejectedUnknownProvider.inc({ client: client.name });
  else if (refusal.code === 'NO_PROVIDER_AVAILABLE') {
    metrics.rejectedNoProviderAvailable.inc({ client: client.name });
  } else {
    for (const provider of names) metrics.rejectedProviderDisabled.inc({ client: client.name, provider });
  }
  log.warn(
    {
      error_code: refusal.code,
      // Only known names are logged: an unknown one may be a recipient or a text that a sender put there by mistake.
      providers: names,
      tracking_id: trackingId,
      trace_id: trace?.traceId,
      client: client.name,
      client_api_key: apiKey?.maskedKey,
    },
    'provider_gate.blocked',
  );
}
