import test from 'ava';
import { healthz, readyz } from '../../../src/operations/health.js';
import { contextOf, headersOf, runLayers } from '../../support/context.js';

const ok = async (): Promise<void> => {};
const failing = (message: string) => () => Promise.reject(new Error(message));

/** Asks /readyz, with Redis and RabbitMQ answering as told. */
async function ready(redis: () => Promise<void>, rabbitmq: () => Promise<void>, shuttingDown = false) {
  const ctx = contextOf({ method: 'GET', path: '/readyz' });
  const parts = {
    redis: { checkWrite: redis },
    rabbitmq: { ping: rabbitmq },
    shuttingDown: () => shuttingDown,
  };
  await runLayers(ctx, readyz(parts));
  return { status: ctx.status, body: ctx.state.json, cache: headersOf(ctx)['cache-control'] };
}

test('healthz: asked -> 200', async (t) => {
  const ctx = contextOf({ method: 'GET', path: '/healthz' });
  await runLayers(ctx, healthz());
  t.is(ctx.status, 200);
  t.is(ctx.state.json, '{"status":"ok"}');
});

test('readyz: both services answer -> 200, not to be cached', async (t) => {
  t.deepEqual(await ready(ok, ok), {
    status: 200,
    body: '{"status":"ready","checks":{"redis":"ok","rabbitmq":"ok"}}',
    cache: 'no-store',
  });
});

for (const reason of ['not connected', 'no answer', 'blocked by the broker']) {
  test(`readyz: one service says "${reason}" -> 503 with that`, async (t) => {
    t.deepEqual(await ready(ok, failing(reason)), {
      status: 503,
      body: `{"status":"not_ready","checks":{"redis":"ok","rabbitmq":"${reason}"}}`,
      cache: 'no-store',
    });
  });
}

test('readyz: an error in the words of a library -> only that it is failing', async (t) => {
  const { status, body } = await ready(failing('connect ECONNREFUSED 10.1.2.3:6379'), ok);
  t.is(status, 503);
  t.is(body, '{"status":"not_ready","checks":{"redis":"failing","rabbitmq":"ok"}}');
});

test('readyz: shutting down -> 503, though both answer', async (t) => {
  const { status, body } = await ready(ok, ok, true);
  t.is(status, 503);
  t.is(body, '{"status":"shutting_down","checks":{"redis":"ok","rabbitmq":"ok"}}');
});
