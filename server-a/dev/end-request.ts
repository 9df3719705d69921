const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const PARENT_CHECK_INTERVAL_MS = 1_000;

/**
 * Calls `end` whenever somebody asks this process to end: Ctrl-C, SIGTERM, a closed terminal, or the death of
 * the process that started it (a killed `make` or `npm` sends no signal, which counts as SIGHUP).
 * @param end may be called more than once; by default the signals no longer end the process.
 */
export function onEndRequest(end: (signal: NodeJS.Signals) => void): void {
  for (const signal of SIGNALS) process.on(signal, () => end(signal));
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    end('SIGHUP');
  }, PARENT_CHECK_INTERVAL_MS);
  check.unref();
}
