let pending: Promise<void> | undefined;

/**
 * Resolves when all that was read in this turn of the event loop has been looked at; one promise for everybody who asks
 * within a turn.
 *
 * A refusal that needs no service would be written while the next request still waits to be read. Each such write wakes
 * its reader and costs more than all the rest of the refusal; written together at the turn's end, they cost a fraction.
 */
export function turnEnd(): Promise<void> {
  pending ??= new Promise((resolve) => {
    setImmediate(() => {
      pending = undefined;
      resolve();
    });
  });
  return pending;
}
