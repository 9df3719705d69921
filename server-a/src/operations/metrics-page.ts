import type { Metrics } from '../metrics.js';
import type { Publisher } from '../rabbitmq/publisher.js';
import type { Layer } from '../request-state.js';

/** `GET /metrics`: all metrics in Prometheus's text format. */
export function metricsPage(metrics: Metrics, publisher: Pick<Publisher, 'inFlight'>): Layer {
  return async function metricsPage(ctx) {
    metrics.publishesInFlight.set(publisher.inFlight);
    ctx.set('Content-Type', metrics.registry.contentType);
    ctx.body = await metrics.registry.metrics();
  };
}
