/** Every Redis key of Server A: its name, type and life. The README's table is held to this object by a test. */

/** Catalogue of keys, for documentation. */
export const REDIS_KEYS = {
  idempotencyRecord: {
    pattern: 'idem:{api_key}:{idempotency_key}',
    type: 'string',
    life: 'IDEMPOTENCY_TTL_SECONDS; shorter for an answer with Retry-After',
    holds: 'state, tracking id, hash of the body and, once answered, the answer',
  },
  quotaCounter: {
    pattern: '{QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}',
    type: 'string (integer)',
    life: '24 h from its first unit',
    holds: 'messages of the client that reached the broker on that UTC day',
  },
  recentUnits: {
    pattern: '{{QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}}:recent',
    type: 'list',
    life: '2 min from its latest unit; at most 10,000 tokens',
    holds: 'tokens of the attempts that took the latest units of that counter',
  },
} as const;

/** Seconds that a quota counter lives: from the specification ("expire automatically after 24h"). */
export const QUOTA_TTL_SECONDS = 86_400;

/**
 * How long, and how many, tokens of units are remembered: longer than a unit's fate is open (a late confirm is awaited for
 * 15 s, a write is tried again for 60 s), and more than can be on their way at once through a handful of gateways.
 */
export const RECENT_UNITS = { ttlSeconds: 120, count: 10_000 } as const;

/** Key of the idempotency record of one client's key. An API key holds no ':', so no two clients can meet here. */
export function idempotencyRecordKey(apiKey: string, idempotencyKey: string): string {
  return `idem:${apiKey}:${idempotencyKey}`;
}

/** Key of a client's counter. @param day UTC day, `YYYY-MM-DD` */
export function quotaCounterKey(prefix: string, clientKey: string, day: string): string {
  return `${prefix}:${clientKey}:${day}`;
}

/**
 * Key of the tokens beside a counter. The braces (these are literal) put it into the counter's slot of a Redis Cluster,
 * so that a script may take both.
 */
export function recentUnitsKey(counter: string): string {
  return `{${counter}}:recent`;
}
