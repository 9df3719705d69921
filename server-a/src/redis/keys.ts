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
} as const;

/** Seconds that a quota counter lives: from the specification ("expire automatically after 24h"). */
export const QUOTA_TTL_SECONDS = 86_400;

/** Key of the idempotency record of one client's key. An API key holds no ':', so no two clients can meet here. */
export function idempotencyRecordKey(apiKey: string, idempotencyKey: string): string {
  return `idem:${apiKey}:${idempotencyKey}`;
}

/** Key of a client's counter. @param day UTC day, `YYYY-MM-DD` */
export function quotaCounterKey(prefix: string, clientKey: string, day: string): string {
  return `${prefix}:${clientKey}:${day}`;
}
