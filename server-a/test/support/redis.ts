import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { defineScripts } from '../../src/redis/scripts.js';

/** A connection to the tests' Redis with the scripts defined, and key names that no other test uses. */
export class ScriptBench {
  readonly redis: Redis;
  readonly #namespace = `test-${randomBytes(6).toString('hex')}`;
  #keys = 0;

  constructor(url = process.env['TEST_REDIS_URL']) {
    if (url === undefined) throw new Error('TEST_REDIS_URL is not set: run the tests with npm test');
    this.redis = new Redis(url);
    defineScripts(this.redis);
  }

  /** Returns a key that nobody else has. */
  key(): string {
    this.#keys += 1;
    return `${this.#namespace}:${this.#keys}`;
  }

  /** Redis's own time, milliseconds. */
  async now(): Promise<number> {
    const [seconds, microseconds] = await this.redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  close(): void {
    this.redis.disconnect();
  }
}

/** A tracking id in the form that records keep. */
export function newId(): string {
  return randomBytes(16).toString('hex');
}

/** A body's fingerprint. */
export const FINGERPRINT = 'aaaaaaaaaa';
/** Another body's. */
export const OTHER_FINGERPRINT = 'bbbbbbbbbb';
