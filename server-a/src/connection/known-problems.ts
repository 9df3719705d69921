/** Distinct problems remembered. A service with more of them than this has some lines repeated. */
const REMEMBERED = 10;

/** Tells a new problem from one that comes back with every attempt, which is logged once only. */
export class KnownProblems {
  readonly #messages = new Set<string>();

  /** Returns true the first time that an error's message comes, until {@link KnownProblems.forget}. */
  isNew({ message }: Error): boolean {
    if (this.#messages.has(message)) return false;
    if (this.#messages.size >= REMEMBERED) this.#messages.clear();
    this.#messages.add(message);
    return true;
  }

  /** Call this when the connection is good again: a problem that comes back after that is logged again. */
  forget(): void {
    this.#messages.clear();
  }
}
