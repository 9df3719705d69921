/** Distinct problems remembered; a service that finds more ways to fail than this has its lines repeated now and then. */
const REMEMBERED = 10;

/** Tells a new problem from one that comes back with every attempt: once in the log is enough to know. */
export class KnownProblems {
  readonly #messages = new Set<string>();

  /** Returns true the first time that an error's message comes, until {@link KnownProblems.forget}. */
  isNew({ message }: Error): boolean {
    if (this.#messages.has(message)) return false;
    if (this.#messages.size >= REMEMBERED) this.#messages.clear();
    this.#messages.add(message);
    return true;
  }

  /** What was wrong is right now; the same problem is news when it comes again. */
  forget(): void {
    this.#messages.clear();
  }
}
