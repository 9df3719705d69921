/** A process that runs histories: told a seed, it tells what became of the history. */
import { installVirtualGlobals } from './virtual-globals.js';

// Before the gateway's modules are read: what they import from node:crypto is replaced too.
installVirtualGlobals();
const { runHistory, watchRejections } = await import('./history.js');
watchRejections();

process.on('message', (message: unknown) => {
  const { seed, only, keepTrace } = readTask(message);
  void runHistory({ seed, keepTrace, ...(only !== undefined && { only: new Set(only) }) }).then(
    ({ scenario: _scenario, ...result }) => process.send?.(result),
    (error: unknown) => {
      // The history itself is broken. Without an end of this process its pool would wait for ever.
      process.stderr.write(`history ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit());

/** A history to run, as it is sent to a worker. */
interface Task {
  readonly seed: number;
  readonly only: readonly string[] | undefined;
  readonly keepTrace: boolean;
}

function readTask(message: unknown): Task {
  if (typeof message !== 'object' || message === null || !('seed' in message)) throw new Error('no task');
  const only = 'only' in message && Array.isArray(message.only) ? message.only.map(String) : undefined;
  return {
    seed: Number(message.seed),
    only,
    keepTrace: 'keepTrace' in message && message.keepTrace === true,
  };
}
