import { hasExpired } from '../config/clients.js';
import { hashApiKey } from '../config/registry.js';
import type { Metrics } from '../metrics.js';
import { fromEarlierLayer, type Layer } from '../request/state.js';

/**
 * Finds the client that the `API-Key` header names, active or not; none for a missing or unregistered key. A client that
 * comes with an expired key counts as inactive, so that no other layer has to ask for the time. The key is looked up by its
 * hash, so the time of the look-up does not tell how much of a guessed key was right.
 *
 * @param lastUsed is told when each registered key was shown, good or expired
 */
export function identify(lastUsed?: Pick<Metrics['apiKeyLastUsed'], 'setKept'>): Layer {
  return function identify(ctx, next) {
    const key = ctx.req.headers['api-key'];
    if (typeof key === 'string' && key !== '') {
      const apiKey = fromEarlierLayer(ctx, 'registry').apiKeysByHash.get(hashApiKey(key));
      if (apiKey !== undefined) {
        const { client, labels } = apiKey;
        const nowMs = Date.now();
        lastUsed?.setKept(labels, Math.floor(nowMs / 1000));
        ctx.state.apiKey = apiKey;
        ctx.state.client = hasExpired(apiKey, nowMs) ? { ...client, isActive: false } : client;
      }
    }
    return next();
  };
}
