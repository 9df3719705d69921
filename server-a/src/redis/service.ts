import type { Config } from '../config/load.js';
import { databaseOf } from '../config/redis-mode.js';
import type { TlsOptions } from '../connection/tls-context.js';
import type { Log } from '../logging/log.js';
import { connectRedis } from './connect.js';
import { connectRedisCluster } from './connect-cluster.js';
import { connectRedisBySentinels } from './connect-sentinel.js';
import type { RedisService } from './routes.js';

/** Connects to Redis as REDIS_MODE says, in the background and for ever. */
export function redisService({ env }: Pick<Config, 'env'>, tls: TlsOptions, log: Log): RedisService {
  const { REDIS_URL: urls, REDIS_TIMEOUT_MS: timeoutMs } = env;
  switch (env.REDIS_MODE) {
    case 'single':
      return connectRedis(urls, tls, timeoutMs, log);
    case 'cluster':
      return connectRedisCluster(urls, tls, timeoutMs, log);
    case 'sentinel': {
      const settings = {
        urls,
        database: databaseOf(urls),
        master: env.REDIS_SENTINEL_MASTER,
        username: env.REDIS_SENTINEL_USERNAME,
        password: env.REDIS_SENTINEL_PASSWORD,
      };
      return connectRedisBySentinels(settings, tls, timeoutMs, log);
    }
  }
}
