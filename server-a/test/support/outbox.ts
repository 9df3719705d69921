import { randomUUID } from 'node:crypto';
import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { faultsOfMessage } from './asyncapi.js';
import { type JsonObject, parseObject } from './json.js';
import { RABBITMQ_URL } from './test-services.js';
import { waitFor } from './wait-for.js';

/** A message as a consumer got it. */
export interface Received {
  readonly message: ConsumeMessage;
  readonly envelope: JsonObject;
}

const FENCE_TYPE = 'test.fence';

/** Consumes a queue, as Server B would, and keeps every message. */
export class Outbox {
  readonly queue: string;
  readonly received: Received[] = [];
  /** Messages that are not as the contract has them. */
  readonly #faults: string[] = [];
  readonly #connection: ChannelModel;
  readonly #channel: ConfirmChannel;
  readonly #fences = new Set<string>();

  private constructor(queue: string, connection: ChannelModel, channel: ConfirmChannel) {
    this.queue = queue;
    this.#connection = connection;
    this.#channel = channel;
  }

  /** Begins to consume a queue, which must exist. */
  static async open(queue: string, url = RABBITMQ_URL): Promise<Outbox> {
    const connection = await connect(url);
    connection.on('error', () => {});
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    const outbox = new Outbox(queue, connection, channel);
    await outbox.consume();
    return outbox;
  }

  /** Begins to consume; again after the queue was deleted and made anew. */
  async consume(): Promise<void> {
    await this.#channel.consume(this.queue, (message) => this.#take(message), { noAck: true });
  }

  #take(message: ConsumeMessage | null): void {
    if (message === null) return;
    if (message.properties.type === FENCE_TYPE) {
      this.#fences.add(String(message.properties.messageId));
      return;
    }
    const text = message.content.toString('utf8');
    const faults = faultsOfMessage(message);
    if (faults !== '') this.#faults.push(`not as in asyncapi.yaml: ${faults}; it was ${text}`);
    this.received.push({ message, envelope: parseObject(text) });
  }

  /**
   * Resolves when everything that was in the queue before this call has been received.
   *
   * @throws Error when a message was not as the contract has it
   */
  async settled(): Promise<void> {
    const id = randomUUID();
    this.#channel.sendToQueue(this.queue, Buffer.from('{}'), { type: FENCE_TYPE, messageId: id });
    await waitFor('a fence in the queue', () => this.#fences.has(id));
    this.#checkFaults();
  }

  /** Returns all messages with this text, once everything in the queue has been received. */
  async withText(text: string): Promise<Received[]> {
    await this.settled();
    return this.received.filter(({ envelope }) => envelope['text'] === text);
  }

  /** Returns the only message with this text. @throws Error when there is none, or more than one */
  async theOneWithText(text: string): Promise<Received> {
    const [first, ...others] = await this.withText(text);
    if (first === undefined) throw new Error('no message with this text');
    if (others.length > 0) throw new Error(`${others.length + 1} messages with this text`);
    return first;
  }

  /** Deletes the queue, as somebody might by accident. */
  async deleteQueue(): Promise<void> {
    await this.#channel.deleteQueue(this.queue);
  }

  /** @throws Error when a message was not as the contract has it */
  async close(): Promise<void> {
    await this.#connection.close().catch(() => {});
    this.#checkFaults();
  }

  #checkFaults(): void {
    if (this.#faults.length > 0) throw new Error(this.#faults.join('\n'));
  }
}

/** Runs an action on a channel of its own: what fails closes a channel. */
export async function onChannel<T>(act: (channel: Channel) => Promise<T>, url = RABBITMQ_URL): Promise<T> {
  const connection = await connect(url);
  connection.on('error', () => {});
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    return await act(channel);
  } finally {
    await connection.close();
  }
}
