import { within } from '../connection/within.js';

/** Milliseconds that a node has for an answer, once a confirm has not come in time. */
const ANSWER_LIMIT_MS = 1000;
/**
 * Milliseconds without any confirm, though messages wait, after which a node that answers is left all the same. Longer
 * than the cluster needs to replace a dead queue leader; on the wrong side of a partition confirms never come.
 */
const NO_CONFIRM_LIMIT_MS = 10_000;

/** What a watch needs to know of the connection that it judges. */
export interface WatchedConnection {
  /** Makes a round trip that no queue has a part in. */
  readonly ask: () => Promise<unknown>;
  /** True while the node has said that it takes no messages: it is at work, and confirms nothing. */
  readonly blocked: () => boolean;
  /** Called at the most once, with the reason, when another node should be tried. */
  readonly leave: (reason: string) => void;
}

/**
 * Judges a node by its confirms, where there are others to go to. Costs nothing while confirms come in time.
 *
 * A node that does not even answer (frozen, cut off) is left within about a second of the first confirm that did not come:
 * AMQP's heartbeats would take ten and more. A node that answers and confirms nothing is given longer. Where no message is
 * sent, a readiness check without an answer starts the same question. Otherwise a gateway that is not ready, and so gets no
 * messages, would stay on a dead node.
 */
export class NodeWatch {
  readonly #connection: WatchedConnection;
  #confirmedAt = performance.now();
  #stalledSince: number | undefined;
  #asking = false;
  #left = false;

  constructor(connection: WatchedConnection) {
    this.#connection = connection;
  }

  /** A confirm has come. @param now of `performance.now()` */
  confirmed(now = performance.now()): void {
    this.#confirmedAt = now;
    this.#stalledSince = undefined;
  }

  /** A confirm has not come in time. @param sentAt when its message was sent, of `performance.now()` */
  timedOut(sentAt: number): void {
    if (this.#left || this.#confirmedAt > sentAt) return;
    this.#stalledSince ??= sentAt;
    if (performance.now() - this.#stalledSince > NO_CONFIRM_LIMIT_MS) this.#leave('no confirms');
    else void this.#ask();
  }

  /** A readiness check had no answer from the node: where no messages are sent, no confirm can be late. */
  unanswered(): void {
    if (!this.#left) void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      await within(ANSWER_LIMIT_MS, this.#connection.ask(), 'no answer');
    } catch {
      if (!this.#connection.blocked()) this.#leave('no answer');
    } finally {
      this.#asking = false;
    }
  }

  #leave(reason: string): void {
    if (this.#left) return;
    this.#left = true;
    this.#connection.leave(reason);
  }
}
