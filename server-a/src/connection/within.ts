/**
 * Waits for work at the most so long.
 *
 * When the time is up, the event loop turns once more before that counts: after a stalled turn, timers run before
 * sockets are read, and a reply that lies there in time must count as in time.
 *
 * @param limitMs milliseconds
 * @throws Error with these words when the time is up first; and what the work throws
 */
export async function within<T>(limitMs: number, work: Promise<T>, words: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new Error(words))), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
