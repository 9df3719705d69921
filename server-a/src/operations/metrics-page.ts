import type { Metrics } from '../metrics.js';
import type { RabbitMqLink } from '../rabbitmq/connect.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import type { RedisLink } from '../redis/connect.js';
import type { Layer } from '../request-state.js';

/** What is looked at when the page is asked for, instead of being kept up to date at every request. */
export interface MetricsPageParts {
  readonly metrics: Metrics;
  readonly publisher: Pick<Publisher, 'inFlight'>;
  readonly redis: Pick<RedisLink, 'usable'>;
  readonly rabbitmq: Pick<RabbitMqLink, 'unusable'>;
}

/** `GET /metrics`: all metrics in Prometheus's text format. */
export function metricsPage({ metrics, publisher, redis, rabbitmq }: MetricsPageParts): Layer {
  return async function metricsPage(ctx) {
    metrics.publishesInFlight.set(publisher.inFlight);
    metrics.dependencyReady.set({ service: 'redis' }, redis.usable ? 1 : 0);
    metrics.dependencyReady.set({ service: 'rabbitmq' }, rabbitmq.unusable === undefined ? 1 : 0);
    metrics.rabbitmqBlocked.set(rabbitmq.unusable === 'blocked' ? 1 : 0);
    ctx.set('Content-Type', metrics.registry.contentType);
    ctx.body = await metrics.registry.metrics();
  };
}
