import { setTimeout as delay } from 'node:timers/promises';

/** How long to look, and how often. */
export interface WaitOptions {
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/**
 * Looks again and again until there is something to see, and returns it.
 *
 * @param what what is waited for, for the error message
 * @param look returns undefined or false while it is not there; what it throws counts as not there
 * @throws Error when it is not there within the time (default 30 s: a busy machine may have other work)
 */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs = 30_000, everyMs = 15 }: WaitOptions = {},
): Promise<T> {
  // By the wall clock: some tests stop the monotonic one.
  const deadline = Date.now() + withinMs;
  let lastProblem = '';
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (error) {
      lastProblem = error instanceof Error ? ` (${error.message})` : '';
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms${lastProblem}`);
    await delay(everyMs);
  }
}
