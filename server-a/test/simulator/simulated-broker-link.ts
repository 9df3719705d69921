/** The simulated RabbitMQ as the gateway's publisher sees it: the behaviour of RabbitMqLink and of amqplib's confirm channel. */
import type { ConfirmChannel, Options } from 'amqplib';
import type { LinkListener, PublishLink, Unusable } from '../../src/rabbitmq/publish-link.js';
import {
  type Callback,
  Connection,
  type ConnectionListener,
  type ConnectionOptions,
} from './broker-connection.js';
import { Choices } from './choices.js';
import type { FailurePoint } from './injected-failures.js';
import type { MessageFailure, MessageFailureKind, Verdict } from './simulated-broker.js';

/** Milliseconds before the first attempt to reconnect, and at the most between two. */
const RECOVERY_DELAY = { initialMs: 100, maxMs: 2000 };
const DELAYS = [30, 300, 900, 1190, 1210, 1500, 2500, 4000, 9000, 14_000, 22_000, 45_000];

/** What a link is made of. */
export interface SimulatedBrokerLinkOptions extends ConnectionOptions {
  readonly seed: number;
  readonly failurePoint: FailurePoint;
  readonly kinds: readonly MessageFailureKind[];
  /** Is told of each message of a key, as it is handed to the connection. */
  readonly onPublish: (key: string) => void;
  readonly trace: (line: string) => void;
}

/** A link of one process, connected for ever. */
export class SimulatedBrokerLink implements PublishLink, ConnectionListener {
  readonly #options: SimulatedBrokerLinkOptions;
  readonly #choices: Choices;
  #connection: Connection | undefined;
  #blocked = false;
  #attempts = 0;
  #closing = false;
  #restoring = false;
  #listener: LinkListener = { onReady: () => {}, onReturn: () => {} };

  constructor(options: SimulatedBrokerLinkOptions) {
    this.#options = options;
    this.#choices = new Choices(options.seed, `${options.process.name}/broker`);
  }

  get unusable(): Unusable | undefined {
    if (this.#connection === undefined) return 'disconnected';
    return this.#blocked ? 'blocked' : undefined;
  }

  async start(listener: LinkListener): Promise<void> {
    this.#listener = listener;
    this.#connect();
  }

  channelForPublish(): Pick<ConfirmChannel, 'publish'> | undefined {
    if (this.#connection === undefined || this.#blocked) return undefined;
    return { publish: this.publisherOn(this.#connection) };
  }

  restoreQueues(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#restoring) return;
    this.#restoring = true;
    const { broker, process, latency } = this.#options;
    process.output(() =>
      connection.transmit(0, () => {
        broker.queueMissing = false;
        process.input(process.time.now + latency(), () => {
          this.#restoring = false;
        });
      }),
    );
  }

  /** Says goodbye; every unconfirmed publish is told that the channel has ended. */
  async close(): Promise<void> {
    this.#closing = true;
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.cut(0);
    this.closed(connection);
  }

  publisherOn(connection: Connection) {
    return (
      _exchange: string,
      queue: string,
      content: Buffer,
      { messageId, correlationId, headers }: Options.Publish = {},
      callback: Callback = () => {},
    ): boolean => {
      const { process, broker, failurePoint, kinds, onPublish, trace } = this.#options;
      const { text, key } = textAndKeyOf(content);
      if (key !== undefined) onPublish(key);
      process.pass('publish');
      connection.published += 1;
      const publish = connection.published;
      connection.unconfirmed.set(publish, { callback, correlationId: String(correlationId) });
      const isHeartbeat = queue.includes('heartbeat');
      const message = {
        trackingId: String(messageId),
        text,
        key,
        requestId: requestIdOf(headers),
      };
      const failure = isHeartbeat ? undefined : this.#failure(failurePoint, kinds);
      const disk = this.#choices.skewed(0.2, 8);
      process.output(() => {
        connection.transmit(failure?.kind === 'delayed on the way' ? failure.delay : 0, () => {
          if (isHeartbeat) connection.tell(publish, 'ack', 0);
          else {
            trace(`broker takes ${message.trackingId} of ${process.name}, request ${message.requestId}`);
            broker.handle(connection, publish, message, failure, disk);
          }
        });
      });
      process.pass('published');
      return true;
    };
  }

  told(connection: Connection, publish: number, verdict: Verdict): void {
    const unconfirmed = connection.unconfirmed.get(publish);
    if (unconfirmed === undefined) return;
    if (verdict === 'return') {
      this.#listener.onReturn(unconfirmed.correlationId);
      return;
    }
    connection.unconfirmed.delete(publish);
    unconfirmed.callback(verdict === 'ack' ? null : new Error('message nacked'), {});
  }

  blocked(connection: Connection, blocked: boolean): void {
    if (connection === this.#connection) this.#blocked = blocked;
  }

  closed(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    this.#blocked = false;
    this.#restoring = false;
    const callbacks = [...connection.unconfirmed.values()];
    connection.unconfirmed.clear();
    for (const { callback } of callbacks) callback(new Error('channel closed'), {});
    this.#reconnect();
  }

  #failure(point: FailurePoint, kinds: readonly MessageFailureKind[]): MessageFailure | undefined {
    const made = kinds.length === 0 ? undefined : point();
    if (made === undefined) return undefined;
    const failure = { kind: made.choices.pick(kinds), delay: made.choices.pick(DELAYS) };
    made.injected.what = `a message of ${this.#options.process.name} is ${failure.kind} (${failure.delay} ms)`;
    return failure;
  }

  #reconnect(): void {
    if (this.#closing) return;
    const delay = Math.min(RECOVERY_DELAY.initialMs * 2 ** this.#attempts, RECOVERY_DELAY.maxMs);
    this.#attempts += 1;
    setTimeout(() => this.#connect(), delay);
  }

  #connect(): void {
    const { broker, process, latency } = this.#options;
    if (this.#closing) return;
    // TCP, AMQP's handshake, the channel and the queues: some round trips.
    process.input(process.localNow + 6 * latency(), () => {
      if (this.#closing) return;
      if (!broker.up || broker.frozen) {
        this.#reconnect();
        return;
      }
      this.#attempts = 0;
      this.#blocked = false;
      this.#connection = new Connection(this, this.#options, this.#choices);
      broker.queueMissing = false;
      // The broker says that it is blocked only after the first publish.
      if (broker.blocked) this.#connection.setBlocked(true);
      this.#listener.onReady();
    });
  }
}

/** The senders write the idempotency key as the text's first word; `-` = none. */
function textAndKeyOf(content: Buffer): { readonly text: string; readonly key: string | undefined } {
  const body: unknown = JSON.parse(content.toString('utf8'));
  const text = typeof body === 'object' && body !== null && 'text' in body ? String(body.text) : '';
  const [key = '-'] = text.split(' ');
  return { text, key: key === '-' ? undefined : key };
}

/** The senders name each request in its traceparent. */
function requestIdOf(headers: unknown): string {
  const traceparent =
    typeof headers === 'object' && headers !== null && 'traceparent' in headers
      ? String(headers.traceparent)
      : '';
  return traceparent.slice(3, 35);
}
