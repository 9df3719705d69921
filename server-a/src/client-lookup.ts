import { type Client, hashApiKey, type Registry } from './config/registry.js';
import { type Context, fromEarlierLayer } from './request-state.js';

/**
 * Returns the client that the `API-Key` header names, active or not; undefined for a missing or unregistered key. Looked
 * up once a request, by the key's hash: the time it takes tells nothing of how much of a key was right.
 */
export function clientOf(ctx: Context): Client | undefined {
  if (ctx.state.client !== undefined) return ctx.state.client;
  const key = ctx.req.headers['api-key'];
  if (typeof key !== 'string' || key === '') return undefined;
  const registry: Registry = fromEarlierLayer(ctx, 'registry');
  const client = registry.clientsByKeyHash.get(hashApiKey(key));
  if (client !== undefined) ctx.state.client = client;
  return client;
}
