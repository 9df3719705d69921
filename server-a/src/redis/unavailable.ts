/** Thrown when Redis gave no answer: not connected, not in time, or connection lost while waiting. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
  /** The command was sent, so it may have run; false = it certainly did not. */
  readonly maybeRan: boolean;

  constructor(message: string, maybeRan: boolean, cause?: unknown) {
    super(message, { cause });
    this.maybeRan = maybeRan;
  }
}
