/**
 * Makes a function whose promise resolves when all that was read in this turn of the event loop has been looked at; one
 * promise for everybody who asks within a turn.
 *
 * What is done at once is done while the next request still waits to be read. A refusal that needs no service would be
 * written alone, and each write wakes the process that reads it, which costs more than the rest of the refusal; a call to
 * Redis would be sent alone. At the end of the turn all of the turn go together.
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
