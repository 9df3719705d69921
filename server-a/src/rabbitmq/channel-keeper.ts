/** The confirm channel of a connection: kept open, and replaced when it turns out to be of no use. */
import type { ConfirmChannel } from 'amqplib';
import type { Log } from '../logging/log.js';
import type { NodeConnection } from './node-connection.js';
import type { MessageKind } from './publish-link.js';
import { declareTopology, type Topology } from './topology.js';

/** Milliseconds before a channel is opened anew: the first pause, and the longest after failure upon failure. */
const REOPEN_DELAY_MS = { first: 250, most: 5000 };
/** Milliseconds that a replaced channel stays open, for confirms that are still on their way. */
const RETIRED_FOR_MS = 5000;

/** What a keeper works with. */
export interface ChannelKeeperParts {
  readonly connection: NodeConnection;
  readonly topology: Topology;
  readonly log: Log;
  /** The broker had no queue for a message; its confirm follows. @param publishId the message's correlation id */
  readonly onReturn: (publishId: string) => void;
}

/**
 * Keeps one confirm channel open on a connection, as long as that lives.
 *
 * A channel that the broker closes alone (404, 406) is opened anew. So is one whose first messages are refused or left
 * without a confirm: RabbitMQ looks for a quorum queue's leader when a channel first publishes, and a channel that was
 * opened while the leader was dying goes on asking the dead one. A channel that has confirmed a message of a queue
 * follows that queue's leader by itself.
 */
export class ChannelKeeper {
  readonly #parts: ChannelKeeperParts;
  #channel: ConfirmChannel | undefined;
  /** Kinds of messages, each of a queue of its own, of which the channel has confirmed one. */
  readonly #proven = new Set<MessageKind>();
  #openedAt = 0;
  /** Channels in a row that were of no use. */
  #useless = 0;
  #opening = false;
  #lastProblem = '';

  constructor(parts: ChannelKeeperParts) {
    this.#parts = parts;
  }

  /** The channel to publish on now; undefined = there is none. */
  get channel(): ConfirmChannel | undefined {
    return this.#channel;
  }

  /** Opens the first channel and declares the queues. @throws Error when that fails */
  async open(): Promise<void> {
    const { connection, topology, onReturn } = this.#parts;
    const channel = await connection.confirmChannel();
    let open = true;
    channel.on('error', (err) => this.#closedByBroker(err));
    channel.on('return', (message) => onReturn(String(message.properties.correlationId)));
    channel.on('close', () => {
      open = false;
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      // When a connection ends, its channels close first, in the same turn. So look again when the turn is over.
      setImmediate(() => this.#openAgain());
    });
    await declareTopology(channel, topology);
    if (!open) throw new Error('closed while being set up');
    this.#channel = channel;
    this.#proven.clear();
    this.#openedAt = performance.now();
  }

  /** A message was confirmed. */
  confirmed(kind: MessageKind): void {
    this.#proven.add(kind);
    this.#useless = 0;
  }

  /** A message was refused, or not confirmed in time. */
  unconfirmed(kind: MessageKind): void {
    const old = this.#channel;
    const pause = Math.min(REOPEN_DELAY_MS.first * 2 ** this.#useless, REOPEN_DELAY_MS.most);
    if (this.#proven.has(kind) || this.#opening || old === undefined) return;
    if (performance.now() - this.#openedAt < pause) return;
    this.#useless += 1;
    this.#openAgain(old);
  }

  /**
   * Logs once why the broker closes channels: where a queue has other properties, each attempt fails with the same error.
   */
  #closedByBroker(err: Error): void {
    if (err.message !== this.#lastProblem) this.#parts.log.error({ err }, 'rabbitmq.channel_closed');
    this.#lastProblem = err.message;
  }

  /** Opens a channel on a connection that still lives, again and again until it does or the connection ends. */
  #openAgain(old?: ConfirmChannel): void {
    if (!this.#parts.connection.alive || this.#opening) return;
    this.#opening = true;
    this.open()
      .then(
        () => old !== undefined && retire(old),
        (err: unknown) => {
          if (!this.#parts.connection.alive) return;
          this.#parts.log.error({ err }, 'rabbitmq.channel_not_reopened');
          setTimeout(() => this.#openAgain(old), REOPEN_DELAY_MS.first).unref();
        },
      )
      .finally(() => {
        this.#opening = false;
      });
  }
}

function retire(channel: ConfirmChannel): void {
  setTimeout(() => {
    // Where the connection has ended, the channel is closed already.
    channel.close().catch(() => {});
  }, RETIRED_FOR_MS).unref();
}
