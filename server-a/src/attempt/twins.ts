/** Waiting for a twin: another request with the same key, which is at work. */
import type { Standing } from '../redis/calls.js';
import { mayLookAgain } from './time-limits.js';

type InFlight = Extract<Standing, { status: 'in_flight' }>;

/** Goes on with a look that has found a twin at work. */
export type OnTwin<Reply> = (twin: InFlight) => Reply | InFlight | Promise<Reply | InFlight>;

/** Milliseconds between a twin's looks: soon at first (most answers are a few milliseconds away), then more rarely. */
const TWIN_PAUSE = { firstMs: 4, maxMs: 100 };

/**
 * Looks again while a twin is at work; resolves to the twin's state when there is no time for another look.
 *
 * @param look asks Redis what stands under the key, and leaves to its parameter what is to be done about a twin: so a look
 *   that finds none waits for nothing more
 * @param deadline until when the request may wait, by performance.now()
 * @param onWait is called when the request begins to wait
 */
export function afterTwins<Reply extends { readonly status: string }>(
  look: (onTwin: OnTwin<Reply>) => Promise<Reply | InFlight>,
  deadline: number,
  onWait: () => void,
): Promise<Reply | InFlight> {
  return look((twin) => {
    onWait();
    return waitForTwin(twin, () => look((next) => next), deadline);
  });
}

async function waitForTwin<Reply extends { readonly status: string }>(
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
