import type { Client, Provider, Registry } from '../config/registry.js';
import { ApiError } from '../errors.js';
import type { Log } from '../logging.js';
import type { Metrics } from '../metrics.js';
import { type Context, fromEarlierLayer, type Layer } from '../request-state.js';

/** What this layer needs. */
export interface ProviderGateParts {
  /** Off: names are made canonical where they are known, and nothing is refused. */
  readonly enabled: boolean;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Seconds after which NO_PROVIDER_AVAILABLE may have changed: the configuration does, now and then. */
const NO_PROVIDER_RETRY_SECONDS = 60;

/**
 * Refuses, in memory, what no provider could send: 422 for an unknown name, 409 when all named ones are disabled, 503
 * when none was named and none is available. Runs before the quota, so that a doomed request costs its sender nothing.
 */
export function providerGate({ enabled, metrics, log }: ProviderGateParts): Layer {
  const block = blocker(metrics, log);
  return function providerGate(ctx, next) {
    const registry = fromEarlierLayer(ctx, 'registry');
    const names = fromEarlierLayer(ctx, 'request').providers ?? [];
    if (names.length === 0) {
      if (enabled && !registry.anyProviderAvailable) throw block(ctx, noProviderAvailable());
      ctx.state.providersEffective = NONE;
    } else {
      const { known, unknown, canonical } = resolve(names, registry);
      if (enabled && unknown.length > 0) throw block(ctx, unknownProvider(unknown, registry), known);
      ctx.state.providersEffective = enabled
        ? available(known, (error) => block(ctx, error, known))
        : canonical;
    }
    return next();
  };
}

const NONE: readonly string[] = Object.freeze([]);

interface Resolved {
  /** Distinct known providers, in order. */
  readonly known: readonly Provider[];
  /** Distinct unknown names, in order, as the sender wrote them. */
  readonly unknown: readonly string[];
  /** Distinct names in order: canonical where known, as written where not. */
  readonly canonical: readonly string[];
}

function resolve(names: readonly string[], { providersByName }: Registry): Resolved {
  const known = new Set<Provider>();
  const unknown = new Set<string>();
  const canonical = new Set<string>();
  for (const name of names) {
    const provider = providersByName.get(name.toLowerCase());
    if (provider === undefined) unknown.add(name);
    else known.add(provider);
    canonical.add(provider?.name ?? name);
  }
  return { known: [...known], unknown: [...unknown], canonical: [...canonical] };
}

/** Returns the names that pass; throws what `block` makes of the refusal when none does. */
function available(providers: readonly Provider[], block: (error: ApiError) => ApiError): readonly string[] {
  const passing = providers.filter((provider) => provider.isAvailable).map((provider) => provider.name);
  if (passing.length > 0) return passing;
  const names = providers.map((provider) => provider.name);
  throw block(
    names.length === 1
      ? new ApiError('PROVIDER_DISABLED', { details: { provider: names[0] } })
      : new ApiError('ALL_PROVIDERS_DISABLED', { details: { providers: names } }),
  );
}

function unknownProvider(unknown: readonly string[], { providers }: Registry): ApiError {
  return new ApiError('UNKNOWN_PROVIDER', {
    details: { unknown, allowed: providers.map((provider) => provider.name) },
  });
}

function noProviderAvailable(): ApiError {
  return new ApiError('NO_PROVIDER_AVAILABLE', {
    headers: { 'Retry-After': String(NO_PROVIDER_RETRY_SECONDS) },
  });
}

/** Makes the function that counts and logs a refusal, and returns it to be thrown. */
function blocker(metrics: Metrics, log: Log) {
  const count = (error: ApiError, client: string, providers: readonly Provider[]): void => {
    if (error.code === 'UNKNOWN_PROVIDER') metrics.rejectedUnknownProvider.inc({ client });
    else if (error.code === 'NO_PROVIDER_AVAILABLE') metrics.rejectedNoProviderAvailable.inc({ client });
    else for (const { name } of providers) metrics.rejectedProviderDisabled.inc({ client, provider: name });
  };
  return (ctx: Context, error: ApiError, providers: readonly Provider[] = []): ApiError => {
    const client: Client = fromEarlierLayer(ctx, 'client');
    count(error, client.name, providers);
    log.warn(
      {
        error_code: error.code,
        // Not the names: what a sender put there by mistake may be a number or a text.
        providers: providers.map(({ name }) => name),
        tracking_id: ctx.state.trackingId,
        trace_id: ctx.state.trace?.traceId,
        client: client.name,
        client_api_key: client.maskedKey,
      },
      'provider_gate.blocked',
    );
    return error;
  };
}
