/**
 * Makes a function whose promise resolves when all that was read in this turn of the event loop has been looked at; one
 * promise for everybody who asks within a turn.
 *
 * A refusal that needs no service would be written while the next request still waits to be read. But each write wakes
 * the process that reads it, which costs more than the rest of the refusal. Written together at the end of the turn, all
 * refusals of the turn wake that process once.
 */
export function turnEnds(): () => Promise<void> {
  let pending: Promise<void> | undefined;
  return () => {
    pending ??= new Promise((resolve) => {
      setImmediate(() => {
        pending = undefined;
        resolve();
      });
    });
    return pending;
  };
}
