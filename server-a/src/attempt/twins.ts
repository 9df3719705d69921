/** Waiting for a twin: another request with the same key, which is at work. */
import type { Standing } from '../redis/calls.js';
import { mayLookAgain } from './time-limits.js';

/** Another attempt is at work. */
export type InFlight = Extract<Standing, { status: 'in_flight' }>;

/** Milliseconds between a twin's looks: soon at first (most answers are a few milliseconds away), then more rarely. */
const TWIN_PAUSE = { firstMs: 4, maxMs: 100 };

/**
 * Looks again while a twin is at work; resolves to the twin's state when there is no time for another look.
 *
 * @param first what a look has found
 * @param look asks Redis what stands under the key
 * @param deadline until when the request may wait, by performance.now()
 */
export async function afterTwin<Reply extends { readonly status: string }>(
  first: InFlight,
  look: () => Promise<Reply | InFlight>,
  deadline: number,
): Promise<Reply | InFlight> {
  let reply: Reply | InFlight = first;
  for (
    let pauseMs = TWIN_PAUSE.firstMs;
    isInFlight(reply);
    pauseMs = Math.min(2 * pauseMs, TWIN_PAUSE.maxMs)
  ) {
    if (!mayLookAgain(deadline, pauseMs)) return reply;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    reply = await look();
  }
  return reply;
}

function isInFlight(reply: { readonly status: string }): reply is InFlight {
  return reply.status === 'in_flight';
}
