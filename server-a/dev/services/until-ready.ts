import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayProcess } from './gateway-process.js';

/** What to ask, and how long to wait for a good answer. */
export interface ReadyOptions {
  /** Default `/readyz`. */
  readonly path?: string;
  /** Count every answer as ready, not only a 2xx. */
  readonly anyAnswer?: boolean;
  /** Milliseconds; default 30 s. */
  readonly withinMs?: number;
  /** Milliseconds between an answer and the next question; default 20. */
  readonly everyMs?: number;
}

const ASK_EVERY_MS = 20;
const ANSWER_WITHIN_MS = 2_000;

/** Asks a server once. @returns its status and body; undefined when there is no answer in time */
export async function askOnce(
  url: string,
  withinMs = ANSWER_WITHIN_MS,
): Promise<{ readonly status: number; readonly body: string } | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(withinMs) });
    return { status: answer.status, body: await answer.text() };
  } catch {
    return undefined;
  }
}

/**
 * Waits until a gateway is ready.
 *
 * @param server ends the wait when it ends
 * @param baseUrl where it serves, without a path
 * @returns milliseconds that it took
 * @throws Error with a sentence when it ends, or is not ready in time; the sentence says what it answered last
 */
export async function untilReady(
  server: Pick<GatewayProcess, 'running'>,
  baseUrl: string,
  { path = '/readyz', anyAnswer = false, withinMs = 30_000, everyMs = ASK_EVERY_MS }: ReadyOptions = {},
): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const answer = await askOnce(`${baseUrl}${path}`);
    const waitedMs = performance.now() - startedAt;
    if (answer !== undefined && (anyAnswer || (answer.status >= 200 && answer.status < 300))) return waitedMs;
    if (!server.running) throw new Error('The gateway has ended before it was ready.');
    if (waitedMs > withinMs) {
      const last = answer === undefined ? 'no answer' : `${answer.status} ${answer.body}`;
      throw new Error(`The gateway is not ready after ${withinMs / 1000} s; ${path} says: ${last}`);
    }
    await delay(everyMs);
  }
}
