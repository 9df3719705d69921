/** One connection to one RabbitMQ node, from its handshake to its end. */
import { Duplex } from 'node:stream';
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { TlsOptions } from '../connection/tls-context.js';
import { within } from '../connection/within.js';
import { WriteCoalescer } from '../connection/write-coalescer.js';
import type { RabbitMqNode } from './nodes.js';

/** Frames that a channel buffers before it asks its writer to pause; the in-flight cap bounds it long before. */
const CHANNEL_BUFFER_FRAMES = 65_536;
/**
 * Bytes that one turn's messages may have and still leave in one write: the socket's own default, 16 KiB, is reached by
 * some twenty messages, and amqplib writes the rest one by one. Memory is bounded by the in-flight cap.
 */
const WRITE_BUFFER_BYTES = 1024 * 1024;

/**
 * A connection that lives, or has lived.
 *
 * It listens for its end from the very turn in which amqplib hands the connection over. So it does not miss a close that
 * comes while channel and queues are being set up.
 */
export class NodeConnection {
  readonly node: RabbitMqNode;
  /** Resolves when the connection has ended, with the reason if there is one; never rejects. */
  readonly ended: Promise<Error | undefined>;
  readonly #model: ChannelModel;
  readonly #coalescer: WriteCoalescer | undefined;
  readonly #end: (reason?: Error) => void;
  /** Resolves when amqplib knows of the end: by then every message that waited for a confirm has its outcome. */
  readonly #told: Promise<void>;
  #alive = true;
  #blocked = false;

  /**
   * Connects and logs in.
   *
   * @param limitMs milliseconds for TCP, TLS and the AMQP handshake together
   * @throws Error when the node cannot be reached, or refuses
   */
  static async open(node: RabbitMqNode, tls: TlsOptions, limitMs: number): Promise<NodeConnection> {
    const socketOptions = {
      ...tls,
      ...node.login,
      noDelay: true,
      keepAlive: true,
      timeout: limitMs,
      writableHighWaterMark: WRITE_BUFFER_BYTES,
    };
    const model = await connect(node.url, socketOptions);
    return new NodeConnection(node, model);
  }

  private constructor(node: RabbitMqNode, model: ChannelModel) {
    this.node = node;
    this.#model = model;
    const stream = streamOf(model);
    this.#coalescer = stream && new WriteCoalescer(stream);
    // An 'error' that nobody hears ends the process; 'close' follows each and brings the same reason.
    model.on('error', () => {});
    const { promise, resolve } = deferred<Error | undefined>();
    this.ended = promise;
    this.#end = (reason) => {
      this.#alive = false;
      resolve(reason);
    };
    const told = deferred<void>();
    this.#told = told.promise;
    model.on('close', (reason) => {
      this.#end(reason);
      told.resolve();
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** True while the node takes no messages (memory or disk alarm). */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Has functions called when the node stops taking messages, and when it takes them again. */
  onBlocked(blocked: (reason: string) => void, unblocked: () => void): void {
    this.#model.on('blocked', (reason) => {
      this.#blocked = true;
      blocked(reason);
    });
    this.#model.on('unblocked', () => {
      this.#blocked = false;
      unblocked();
    });
  }

  /** Opens a channel with publisher confirms. @throws Error when the connection ends first */
  confirmChannel(): Promise<ConfirmChannel> {
    return this.#model.createConfirmChannel({ highWaterMark: CHANNEL_BUFFER_FRAMES });
  }

  /** Opens a channel, uses it, and closes it: for what may fail without harm to messages under way. */
  async onOwnChannel<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.#model.createChannel();
    channel.on('error', () => {});
    const result = await use(channel);
    await channel.close();
    return result;
  }

  /** Lets everything that is written in this turn of the event loop leave in one write. */
  holdWrites(): void {
    this.#coalescer?.hold();
  }

  /** Ends the connection without a word to the node, which may not be listening; what waits for a confirm is lost. */
  abandon(reason: Error): void {
    const stream = streamOf(this.#model);
    if (stream === undefined) this.#model.close().catch(() => {});
    else stream.destroy(reason);
    // amqplib says nothing more of a connection that it was closing already.
    this.#end(reason);
  }

  /**
   * Ends the connection in order; what waits for a confirm has its outcome by then.
   *
   * @param limitMs milliseconds to wait for the node's goodbye before it is abandoned
   */
  async close(limitMs: number): Promise<void> {
    if (!this.#alive) return;
    try {
      await within(limitMs, this.#model.close(), 'no goodbye');
    } catch {
      // The connection has ended meanwhile, or the node is silent: in both cases there is nothing left to wait for.
    }
    this.abandon(new Error('closed'));
    // amqplib hears of an abandoned socket a turn later. The limit is a precaution: a shutdown must not hang here.
    await within(limitMs, this.#told, 'amqplib was not told').catch(() => {});
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** amqplib does not publish its socket's type. */
function streamOf({ connection }: ChannelModel): Duplex | undefined {
  return 'stream' in connection && connection.stream instanceof Duplex ? connection.stream : undefined;
}
