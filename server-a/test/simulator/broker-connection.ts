/** One connection to the simulated broker: frames stay in order, take their time, and can be lost. */
import type { Choices } from './choices.js';
import type { Process } from './process.js';
import type { BrokerConnection, SimulatedBroker, Verdict } from './simulated-broker.js';
import { type Event, PHASE } from './virtual-time.js';

/** Is told of a publish: null = confirmed. */
export type Callback = (error: unknown, ok: Record<string, never>) => void;

/** Who has the connection, and with whom. */
export interface ConnectionOptions {
  readonly broker: SimulatedBroker;
  readonly process: Process;
  /** Milliseconds, one way. */
  readonly latency: () => number;
}

/** Is told what comes over the connection; called as its process. */
export interface ConnectionListener {
  told(connection: Connection, publish: number, verdict: Verdict): void;
  blocked(connection: Connection, blocked: boolean): void;
  closed(connection: Connection): void;
}

/** One connection with its channel. */
export class Connection implements BrokerConnection {
  open = true;
  readonly unconfirmed = new Map<number, { readonly callback: Callback; readonly correlationId: string }>();
  /** Frames on their way to the broker, in order. */
  readonly underWay = new Set<{ event: Event; readonly arrive: () => void }>();
  lastArrival = 0;
  lastTold = 0;
  published = 0;

  constructor(
    readonly listener: ConnectionListener,
    readonly options: ConnectionOptions,
    readonly choices: Choices,
  ) {
    options.broker.connections.add(this);
  }

  of(process: Process): boolean {
    return this.options.process === process;
  }

  /** Has a frame arrive at the broker. */
  transmit(delay: number, arrive: () => void): void {
    if (!this.open) return;
    const { process, broker, latency } = this.options;
    const at = Math.max(this.lastArrival, process.time.now + latency() + delay);
    this.lastArrival = at;
    const item = {
      arrive,
      event: process.time.at(at, PHASE.io, undefined, () => {
        this.underWay.delete(item);
        broker.receive(arrive);
      }),
    };
    this.underWay.add(item);
  }

  tell(publish: number, verdict: Verdict, delay: number): void {
    this.#deliver(delay, () => this.listener.told(this, publish, verdict));
  }

  setBlocked(blocked: boolean): void {
    this.#deliver(0, () => this.listener.blocked(this, blocked));
  }

  cut(tellAfterMs: number): void {
    if (!this.open) return;
    this.open = false;
    const { broker, process, latency } = this.options;
    broker.connections.delete(this);
    // Of the frames on their way the first ones may still arrive.
    const survivors = this.choices.integer(0, this.underWay.size);
    for (const [index, { event, arrive }] of [...this.underWay].entries()) {
      event.cancelled = true;
      if (index < survivors) {
        process.time.at(event.at, PHASE.io, undefined, () => broker.receive(arrive));
      }
    }
    if (process.alive)
      process.input(process.time.now + latency() + tellAfterMs, () => this.listener.closed(this));
  }

  /** In order, like all that the broker writes. */
  #deliver(delay: number, run: () => void): void {
    if (!this.open) return;
    const { process, latency } = this.options;
    const at = Math.max(this.lastTold, process.time.now + latency() + delay);
    // A confirm that the queue has not given yet holds up no other frame.
    if (delay === 0) this.lastTold = at;
    process.input(at, () => {
      if (!this.open) return;
      process.pass('confirm');
      if (process.alive) run();
    });
  }
}
