/** The Koa application, made from its parts. */
import Router from '@koa/router';
import Koa from 'koa';
import { healthz, type ReadinessParts, readyz } from './operations/health.js';
import { type MetricsPageParts, metricsPage } from './operations/metrics-page.js';
import { SEND_PATH } from './paths.js';
import type { Pipeline, PipelineParts } from './pipeline.js';
import type { RequestState } from './request-state.js';

/** Everything that requests need. */
export type AppParts = PipelineParts & ReadinessParts & MetricsPageParts;

/** Makes the application: the request path of pipeline.ts, and the operators' routes. */
export function createApp(parts: AppParts, pipeline: Pipeline): Koa<RequestState> {
  const app = new Koa<RequestState>();
  // Exactly these paths: one that the router takes and the observer does not know would pass uncounted.
  const router = new Router<RequestState>({ sensitive: true, strict: true });
  for (const layer of pipeline.everyRequest(parts)) app.use(layer);
  router.post(SEND_PATH, ...pipeline.sendRequest(parts));
  router.get('/healthz', healthz());
  router.get('/readyz', readyz(parts));
  router.get('/metrics', metricsPage(parts));
  app.use(router.routes());
  app.use(router.allowedMethods());
  // What no layer can answer any more: mostly a sender that hung up before its answer.
  app.on('error', (err: unknown) => parts.log.debug({ err }, 'response.failed'));
  return app;
}
