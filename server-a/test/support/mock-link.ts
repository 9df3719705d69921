import type { Redis } from 'ioredis';
import type { RedisClient } from '../../src/redis/client.js';
import { RedisClock } from '../../src/redis/clock.js';
import type { RedisLink } from '../../src/redis/link.js';
import { RedisUnavailable } from '../../src/redis/unavailable.js';
import { createMockRedis } from './mock-redis.js';

/** How a call of a {@link MockLink} fails. */
export type CallFailure = 'before it was sent' | 'its reply was lost';

/** A link to a Redis in memory that can be told to fail, for unit tests of what talks to Redis. */
export class MockLink implements Pick<RedisLink, 'call' | 'client' | 'clock' | 'mget' | 'usable'> {
  readonly client: RedisClient;
  /** The same, with all of its commands. */
  readonly redis: Redis;
  readonly clock = new RedisClock(async () => Date.now());
  /** How every call fails from now on; undefined = none does. */
  failure: CallFailure | undefined;

  private constructor(redis: Redis) {
    this.client = redis;
    this.redis = redis;
  }

  /** Makes one whose data no other one shares. @param keys what is there, by key */
  static async create(keys: Readonly<Record<string, string | number>> = {}): Promise<MockLink> {
    const { redis } = await createMockRedis();
    for (const [key, value] of Object.entries(keys)) await redis.set(key, value);
    return new MockLink(redis);
  }

  get usable(): boolean {
    return this.failure === undefined;
  }

  mget(keys: readonly string[]): Promise<(string | null)[]> {
    return this.call(
      (client) => client.mget([...keys]),
      (values) => values,
    );
  }

  async call<Reply, T>(send: (client: RedisClient) => Promise<Reply>, read: (reply: Reply) => T): Promise<T> {
    if (this.failure === 'before it was sent') {
      throw new RedisUnavailable('Redis is not connected', false);
    }
    const reply = await send(this.client);
    if (this.failure === 'its reply was lost') {
      throw new RedisUnavailable('Redis did not answer in time', true);
    }
    return read(reply);
  }
}
