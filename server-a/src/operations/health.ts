/** Liveness and readiness. */

import type { RabbitMqLink } from '../rabbitmq/connect.js';
import type { RedisService } from '../redis/routes.js';
import { answerJson } from '../request/answers.js';
import type { Layer } from '../request/state.js';

/** Milliseconds that a readiness check waits for each service; both are asked at once. */
const CHECK_LIMIT_MS = 1000;

/** What readiness is judged by. */
export interface ReadinessParts {
  readonly redis: Pick<RedisService, 'checkWrite'>;
  readonly rabbitmq: Pick<RabbitMqLink, 'ping'>;
  /** True from the first signal to shut down on. */
  readonly shuttingDown: () => boolean;
}

/** `GET /healthz`: 200 while the event loop turns. */
export function healthz(): Layer {
  return async function healthz(ctx) {
    answerJson(ctx, 200, '{"status":"ok"}');
  };
}

/** `GET /readyz`: 200 when Redis takes a write and RabbitMQ answers, 503 with the reason for each otherwise. */
export function readyz({ redis, rabbitmq, shuttingDown }: ReadinessParts): Layer {
  let asking: Promise<[string, string]> | undefined;
  return async function readyz(ctx) {
    // One question at a time, for all who ask meanwhile.
    asking ??= Promise.all([
      check(() => redis.checkWrite()),
      check(() => rabbitmq.ping(CHECK_LIMIT_MS)),
    ]).finally(() => {
      asking = undefined;
    });
    const [redisState, rabbitmqState] = await asking;
    const ready = redisState === 'ok' && rabbitmqState === 'ok' && !shuttingDown();
    const status = shuttingDown() ? 'shutting_down' : ready ? 'ready' : 'not_ready';
    ctx.set('Cache-Control', 'no-store');
    answerJson(
      ctx,
      ready ? 200 : 503,
      JSON.stringify({ status, checks: { redis: redisState, rabbitmq: rabbitmqState } }),
    );
  };
}

/** Asks, and says in the service's own words (they name no address) what is wrong. */
async function check(ask: () => Promise<void>): Promise<string> {
  try {
    await ask();
    return 'ok';
  } catch (error) {
    return error instanceof Error && SHOWN.has(error.message) ? error.message : 'failing';
  }
}

/** Reasons that may be shown: ours. What a library or a server says could name what is inside. */
const SHOWN = new Set(['not connected', 'no answer', 'refuses writes', 'blocked by the broker']);
