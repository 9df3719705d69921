/** A simulated RabbitMQ: one queue, publisher confirms, and every way in which a confirm can fail to come. */
import type { Process } from './process.js';
import type { Event, VirtualTime } from './virtual-time.js';

/** A message in the queue. */
export interface StoredMessage {
  readonly trackingId: string;
  /** Idempotency key of its request, which the simulated senders write into the text; undefined = it had none. */
  readonly key: string | undefined;
  /** The message's text. */
  readonly text: string;
  /** The request that was answered by this publish. */
  readonly requestId: string;
  /** Virtual milliseconds. */
  readonly at: number;
}

/** What may happen to one message. */
export const MESSAGE_FAILURES = [
  'returned',
  'nacked and dropped',
  'nacked and kept',
  'confirmed late',
  'kept late',
  'never confirmed',
  'lost with the connection',
  'kept, and the connection lost',
  'delayed on the way',
  'kept after the connection was lost',
] as const;
export type MessageFailureKind = (typeof MESSAGE_FAILURES)[number];

/** What happens to one message, besides latency. */
export interface MessageFailure {
  readonly kind: MessageFailureKind;
  /** Milliseconds. */
  readonly delay: number;
}

/** What the broker tells a connection about one publish. */
export type Verdict = 'ack' | 'nack' | 'return';

/** A connection, as the broker sees it. */
export interface BrokerConnection {
  readonly open: boolean;
  /** True for a process's own connection. */
  of(process: Process): boolean;
  cut(tellAfterMs: number): void;
  tell(publish: number, verdict: Verdict, delay: number): void;
  setBlocked(blocked: boolean): void;
}

/** The broker. */
export class SimulatedBroker {
  readonly queue: StoredMessage[] = [];
  readonly connections = new Set<BrokerConnection>();
  /** Is told of each message that is kept. */
  onStored: (message: StoredMessage) => void = () => {};
  up = true;
  blocked = false;
  /** The outbound queue is missing: messages come back. */
  queueMissing = false;
  readonly #time: VirtualTime;
  #frozenUntil = 0;
  #waiting: (() => void)[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Handles what came over a connection: now, or when the broker goes on; never when it is down. */
  receive(handle: () => void): void {
    if (!this.up) return;
    if (this.#time.now < this.#frozenUntil) this.#waiting.push(handle);
    else handle();
  }

  get frozen(): boolean {
    return this.#time.now < this.#frozenUntil;
  }

  /** Handles one message. @param delay milliseconds that the disk takes */
  handle(
    connection: BrokerConnection,
    publish: number,
    message: Omit<StoredMessage, 'at'>,
    failure: MessageFailure | undefined,
    delay: number,
  ): void {
    const { kind, delay: failureDelay = 0 } = failure ?? {};
    const keep = (): void => {
      const stored = { ...message, at: this.#time.now };
      this.queue.push(stored);
      this.onStored(stored);
    };
    const later = (ms: number, run: () => void): Event => this.#time.after(ms, () => this.receive(run));
    if (this.queueMissing || kind === 'returned') {
      later(delay, () => {
        connection.tell(publish, 'return', 0);
        connection.tell(publish, 'ack', 0);
      });
      return;
    }
    switch (kind) {
      case 'nacked and dropped':
        later(delay, () => connection.tell(publish, 'nack', 0));
        return;
      case 'nacked and kept':
        later(delay, () => {
          keep();
          connection.tell(publish, 'nack', 0);
        });
        return;
      case 'confirmed late':
        later(delay, () => {
          keep();
          connection.tell(publish, 'ack', failureDelay);
        });
        return;
      case 'kept late':
        later(delay + failureDelay, () => {
          keep();
          connection.tell(publish, 'ack', 0);
        });
        return;
      case 'never confirmed':
        later(delay, keep);
        // Its heartbeats fail too: the connection is given up.
        later(11_000, () => connection.cut(0));
        return;
      case 'lost with the connection':
        connection.cut(0);
        return;
      case 'kept, and the connection lost':
        later(delay, () => {
          keep();
          connection.cut(0);
        });
        return;
      case 'kept after the connection was lost':
        connection.cut(0);
        later(failureDelay, keep);
        return;
      default:
        later(delay, () => {
          keep();
          connection.tell(publish, 'ack', 0);
        });
    }
  }

  /** Stands still: what is sent lies in its sockets; connections that hear nothing for long are given up by their owners. */
  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#time.now + ms);
    this.#time.after(ms, () => {
      if (this.frozen) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const handle of waiting) handle();
    });
    const given = [...this.connections];
    this.#time.after(11_000, () => {
      if (!this.frozen) return;
      for (const connection of given) connection.cut(0);
    });
  }

  /** Ends (what it has confirmed is on disk), and comes back. */
  stop(ms: number): void {
    this.up = false;
    this.#waiting = [];
    this.cutAll();
    this.#time.after(ms, () => {
      this.up = true;
    });
  }

  /** Takes no messages until further notice, and says so. */
  setBlocked(blocked: boolean): void {
    this.blocked = blocked;
    for (const connection of this.connections) connection.setBlocked(blocked);
  }

  cutAll(): void {
    for (const connection of [...this.connections]) connection.cut(0);
  }
}
