/** Turns what ioredis reports of its inner state into plain words, for the gateway's log. */

/**
 * ioredis refuses a command with these words when its connection has just ended. It also asks each new connection whether
 * Redis is loading; where the connection ends before the answer, as it does while Redis is frozen, these words are the
 * only report.
 */
const NOT_WRITABLE = /^Stream isn't writeable/;
const NOT_WRITABLE_SAID =
  'the connection ended before Redis had answered on it: Redis hangs, or something in between does';

/** Returns the error, or one that says in plain words what has happened. */
export function inPlainWords<E>(error: E): E | Error {
  return error instanceof Error && NOT_WRITABLE.test(error.message) ? new Error(NOT_WRITABLE_SAID) : error;
}
