/** The Koa application, made from its parts. */
import Router, { type RouterMiddleware } from '@koa/router';
import Koa from 'koa';
import { healthz, type ReadinessParts, readyz } from './operations/health.js';
import { type MetricsPageParts, metricsPage } from './operations/metrics-page.js';
import { openapiDocument } from './operations/openapi-document.js';
import { isSendRequest, SEND_PATH } from './paths.js';
import type { Pipeline, PipelineParts } from './pipeline.js';
import type { RequestState } from './request-state.js';

/** Everything that requests need. */
export type AppParts = PipelineParts & ReadinessParts & MetricsPageParts;

/** Makes the application: the request path of pipeline.ts, and the operators' routes. */
export function createApp(parts: AppParts, pipeline: Pipeline): Koa<RequestState> {
  const app = new Koa<RequestState>();
  for (const layer of pipeline.everyRequest(parts)) app.use(layer);
  app.use(everythingElse(parts));
  for (const layer of pipeline.sendRequest(parts)) app.use(layer);
  // What no layer can answer any more: mostly a sender that hung up before its answer.
  app.on('error', (err: unknown) => parts.log.debug({ err }, 'response.failed'));
  return app;
}

/**
 * Serves whatever is not a send request, by the router, and lets send requests through to the layers behind it. They are
 * told apart before the router because its match costs a twentieth of an accepted request's CPU.
 */
function everythingElse(parts: AppParts): RouterMiddleware<RequestState> {
  // Exactly these paths: one that the router takes and the observer does not know would pass uncounted.
  const router = new Router<RequestState>({ sensitive: true, strict: true });
  router.get('/healthz', healthz());
  router.get('/readyz', readyz(parts));
  router.get('/metrics', metricsPage(parts));
  router.get('/openapi.json', openapiDocument());
  // Its layers stand behind this one; here it is known for the sake of 405 and Allow.
  router.post(SEND_PATH, (_ctx, next) => next());
  const routes = router.routes();
  const allowedMethods = router.allowedMethods();
  const nothing = async (): Promise<void> => {};
  return function everythingElse(ctx, next) {
    return isSendRequest(ctx) ? next() : routes(ctx, () => allowedMethods(ctx, nothing));
  };
}
