/** What listens to requests, made from its parts. */
import type { RequestListener } from 'node:http';
import Router, { type RouterMiddleware } from '@koa/router';
import Koa from 'koa';
import { healthz, type ReadinessParts, readyz } from '../operations/health.js';
import { type MetricsPageParts, metricsPage } from '../operations/metrics-page.js';
import { openapiDocument } from '../operations/openapi-document.js';
import { batchRequest, everyRequest, keyRequest, type PipelineParts, sendRequest } from '../pipeline.js';
import { writeAnswer } from '../request/answers.js';
import { type Context, type Layer, RequestState } from '../request/state.js';
import { composed } from './layers.js';
import { BATCH_PATH, isSendRequest, REQUESTS_PATH, SEND_PATH } from './paths.js';

/** Everything that requests need. */
export type AppParts = PipelineParts & ReadinessParts & MetricsPageParts;

/**
 * Makes the senders' listener: the request path of pipeline.ts, the question about a key, and `/healthz`.
 *
 * A send request gets its context from Koa and runs through the layers alone: Koa's way around them, with listeners of
 * `on-finished` on each response and socket, its router and its setters, costs more than most layers. Every other request
 * goes that way.
 *
 * @param operations where the operators' other routes are: here too, or on a port of their own
 */
export function createListener(parts: AppParts, operations: 'here' | 'elsewhere' = 'here'): RequestListener {
  const router = newRouter();
  router.get('/healthz', healthz());
  if (operations === 'here') operatorsRoutes(router, parts);
  router.get(`${REQUESTS_PATH}:key`, ...keyRequest(parts));
  router.post(BATCH_PATH, ...batchRequest(parts));
  // Its layers stand behind the router; here it is known for the sake of 405 and Allow.
  router.post(SEND_PATH, (_ctx, next) => next());
  const [everyLayers, sendLayers] = [everyRequest(parts), sendRequest(parts)];
  const app = newApp(parts, everyLayers);
  app.use(everythingElse(router));
  for (const layer of sendLayers) app.use(layer);
  const runLayers = composed([...everyLayers, ...sendLayers]);
  const takeOther = app.callback();

  return (req, res) => {
    // With a query behind its path a send request goes the long way, to the same layers.
    if (req.url !== SEND_PATH || req.method !== 'POST') {
      void takeOther(req, res);
      return;
    }
    const ctx = app.createContext<RequestState>(req, res);
    ctx.state = new RequestState();
    // As Koa has it until a layer says otherwise.
    res.statusCode = 404;
    runLayers(ctx).then(
      () => {
        if (!writeAnswer(ctx)) res.end();
      },
      (error: Error) => ctx.onerror(error),
    );
  };
}

/** Makes the operators' listener, for a port of its own. */
export function createOperationsListener(parts: AppParts): RequestListener {
  const router = newRouter();
  router.get('/healthz', healthz());
  operatorsRoutes(router, parts);
  const app = newApp(parts, everyRequest(parts));
  app.use(everythingElse(router));
  return app.callback();
}

function newApp({ log }: AppParts, everyLayers: readonly Layer[]): Koa<RequestState> {
  const app = new Koa<RequestState>();
  app.use(async (ctx, next) => {
    ctx.state = new RequestState();
    await next();
    // What the layers have not answered with JSON, such as the metrics, Koa writes.
    if (writeAnswer(ctx)) ctx.respond = false;
  });
  for (const layer of everyLayers) app.use(layer);
  // What no layer can answer any more. A connection that breaks is reported by itself (see Connections).
  app.on('error', (err: unknown, ctx?: Context) => {
    if (ctx?.req.socket.errored !== err) log.debug({ err }, 'response.failed');
  });
  return app;
}

function newRouter(): Router<RequestState> {
  // Exactly these paths: one that the router takes and the observer does not know would pass uncounted.
  return new Router<RequestState>({ sensitive: true, strict: true });
}

function operatorsRoutes(router: Router<RequestState>, parts: AppParts): void {
  router.get('/readyz', readyz(parts));
  router.get('/metrics', metricsPage(parts));
  router.get('/openapi.json', openapiDocument());
}

/**
 * Serves whatever is not a send request, by the router, and lets send requests through to the layers behind it. They are
 * told apart before the router because its match costs a twentieth of an accepted request's CPU.
 */
function everythingElse(router: Router<RequestState>): RouterMiddleware<RequestState> {
  const routes = router.routes();
  const allowedMethods = router.allowedMethods();
  const nothing = async (): Promise<void> => {};
  const methods: RouterMiddleware<RequestState> = async (ctx) => {
    await allowedMethods(ctx, nothing);
    // 501 is for a method that no route has. To a sender, and so in the log, that is no other fault than a method that
    // another path serves; and where there is no path, that comes first.
    if (ctx.status !== 501) return;
    ctx.status = ctx.response.get('Allow') === '' ? 404 : 405;
    if (ctx.status === 404) ctx.remove('Allow');
  };
  return function everythingElse(ctx, next) {
    return isSendRequest(ctx) ? next() : routes(ctx, () => methods(ctx, nothing));
  };
}
