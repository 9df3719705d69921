/** Tells Server B, at an interval, that this service lives and which configuration it has. */
import { randomUUID } from 'node:crypto';
import { REQUEST_LIMIT_MS } from '../attempt/time-limits.js';
import { isoNow } from '../clock.js';
import type { RegistryHolder } from '../config/registry.js';
import type { Log } from '../logging/log.js';
import type { Metrics } from '../metrics.js';
import { type OutgoingMessage, type Publisher, SET_BY_PUBLISHER } from '../rabbitmq/publisher.js';

/** AMQP `type` of a heartbeat, with its version. */
export const HEARTBEAT_TYPE = 'sms.heartbeat.v1';

/** Milliseconds before a failed heartbeat is sent again; doubled at each failure, up to the interval. */
const FIRST_RETRY_MS = 1000;

/** What heartbeats are made of. */
export interface HeartbeatOptions {
  readonly publisher: Pick<Publisher, 'publish'>;
  readonly registry: RegistryHolder;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly queue: string;
  readonly serviceName: string;
  readonly intervalSeconds: number;
}

/** A running heartbeat. */
export interface Heartbeat {
  /** Sends one now, and the next an interval later: for a new connection, or a changed configuration. */
  readonly beatNow: () => void;
  readonly stop: () => void;
}

/** Begins to send heartbeats: the first within a second, a failed one again with a growing pause. */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const intervalMs = options.intervalSeconds * 1000;
  options.metrics.heartbeatInterval.set(options.intervalSeconds);
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let stopped = false;

  const schedule = (delayMs: number): void => {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(beat, delayMs);
    timer.unref();
  };
  const beat = async (): Promise<void> => {
    const outcome = await options.publisher.publish(message(options), REQUEST_LIMIT_MS);
    if (outcome.end === 'confirmed') {
      failures = 0;
      options.metrics.heartbeats.inc({ outcome: 'sent' });
      options.metrics.heartbeatLastSent.setToCurrentTime();
      schedule(intervalMs);
      return;
    }
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** failures, intervalMs);
    failures += 1;
    options.metrics.heartbeats.inc({ outcome: 'failed' });
    options.log.error(
      { reason: outcome.end === 'not_sent' ? outcome.reason : outcome.end, retry_in_ms: delayMs, failures },
      'heartbeat.failed',
    );
    schedule(delayMs);
  };
  schedule(FIRST_RETRY_MS);
  return {
    beatNow: () => schedule(0),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function message({ registry, queue, serviceName }: HeartbeatOptions): OutgoingMessage {
  const ts = isoNow();
  return {
    kind: 'heartbeat',
    queue,
    content: Buffer.from(
      JSON.stringify({ service: serviceName, ts, config_fingerprint: registry.current.fingerprints }),
    ),
    options: {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId: randomUUID(),
      correlationId: SET_BY_PUBLISHER,
      timestamp: Math.floor(Date.now() / 1000),
      appId: serviceName,
      type: HEARTBEAT_TYPE,
    },
  };
}
