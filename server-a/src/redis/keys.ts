/** Every Redis key of Server A: its name, type and life. The README's table is made from this object by `make docs`. */

/** Key that readiness checks write. It has no ':', so it cannot be the key of a record or of a counter. */
export const READINESS_KEY = 'gateway-readiness';
/** Milliseconds that it lives. */
export const READINESS_TTL_MS = 60_000;

/** Catalogue of keys, for documentation. */
export const REDIS_KEYS = {
  idempotencyRecord: {
    pattern: 'idem:{client_key}:{idempotency_key}',
    type: 'string',
    life: 'IDEMPOTENCY_TTL_SECONDS; a minute at the most for 429 and 503',
    holds:
      'tracking id and hash of the body; while open also its owner, the end of the lease and the day charged; then the answer',
  },
  quotaCounter: {
    pattern: '{QUOTA_PREFIX}:{client_key}:{YYYY-MM-DD}',
    type: 'string (integer)',
    life: '24 h from its first unit',
    holds: 'messages of the client that reached the broker on that UTC day',
  },
  rateBucket: {
    pattern: 'rate:{client_key}',
    type: 'string',
    life: 'a second at the most',
    holds: 'of a client with `max_per_second`: how many of its tokens are gone, and when that was so',
  },
  refusalCount: {
    pattern: 'refused:{client_key}',
    type: 'string (integer)',
    life: '24 h from its first refusal',
    holds: 'refusals that were stored for idempotency keys of the client in that time',
  },
  readiness: {
    pattern: READINESS_KEY,
    type: 'string',
    life: '60 s from the latest readiness check',
    holds:
      '1; that it could be written is what the check asks; in a cluster one on each master, with a number behind it',
  },
} as const;

/** Seconds that a quota counter lives: from the specification ("expire automatically after 24h"). */
export const QUOTA_TTL_SECONDS = 86_400;

/** Seconds that a client's stored refusals are counted from the first one on: the day of its quota. */
export const REFUSAL_COUNT_TTL_SECONDS = 86_400;

/** Returns how many refusals are stored for a client in a day. Who may store that many answers may store as many refusals. */
export const mostRefusals = (dailyQuota: number): number => Math.max(10_000, dailyQuota);

/** Makes the names of keys. */
export interface KeyNames {
  /**
   * Key of the idempotency record of one client's key. A client's id holds no ':', so no two clients can have a record in
   * common.
   */
  record(clientId: string, idempotencyKey: string): string;
  /** Key of a client's counter. @param day UTC day, `YYYY-MM-DD` */
  counter(clientId: string, day: string): string;
  /** Key of a client's bucket of tokens. */
  bucket(clientId: string): string;
  /** Key of the count of a client's stored refusals. */
  refusals(clientId: string): string;
}

/**
 * Returns how keys are named. In a cluster the client's id is in braces (literal ones), so that all keys of a client are
 * of one slot, and a script may take several of them.
 */
export function keyNames(mode: 'single' | 'sentinel' | 'cluster', quotaPrefix: string): KeyNames {
  return mode === 'cluster'
    ? {
        record: (clientId, idempotencyKey) => `idem:{${clientId}}:${idempotencyKey}`,
        counter: (clientId, day) => `${quotaPrefix}:{${clientId}}:${day}`,
        bucket: (clientId) => `rate:{${clientId}}`,
        refusals: (clientId) => `refused:{${clientId}}`,
      }
    : {
        record: (clientId, idempotencyKey) => `idem:${clientId}:${idempotencyKey}`,
        counter: (clientId, day) => `${quotaPrefix}:${clientId}:${day}`,
        bucket: (clientId) => `rate:${clientId}`,
        refusals: (clientId) => `refused:${clientId}`,
      };
}
