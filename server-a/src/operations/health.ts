/** Liveness and readiness. */
import { answerJson } from '../answers.js';
import type { RabbitMqLink } from '../rabbitmq/connect.js';
import type { RedisLink } from '../redis/connect.js';
import type { Layer } from '../request-state.js';

/** Milliseconds that a readiness check waits for each service; both are asked at once. */
const CHECK_LIMIT_MS = 1000;

/** What readiness is judged by. */
export interface ReadinessParts {
  readonly redis: Pick<RedisLink, 'ping'>;
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

/** `GET /readyz`: 200 when Redis and RabbitMQ answer, 503 with the reason for each otherwise. */
export function readyz({ redis, rabbitmq, shuttingDown }: ReadinessParts): Layer {
  return async function readyz(ctx) {
    const [redisState, rabbitmqState] = await Promise.all([
      check(() => redis.ping()),
      check(() => rabbitmq.ping(CHECK_LIMIT_MS)),
    ]);
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
const SHOWN = new Set(['not connected', 'no answer', 'blocked by the broker']);
