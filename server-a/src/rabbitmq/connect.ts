/** The connection to RabbitMQ: recovery, topology, and one confirm channel that is kept open. */
import { Duplex } from 'node:stream';
import { type ChannelModel, type ConfirmChannel, connect, type RecoveringChannelModel } from 'amqplib';
import type { TlsFiles } from '../config/tls.js';
import { KnownProblems } from '../known-problems.js';
import type { Log } from '../logging.js';
import { WriteCoalescer } from '../write-coalescer.js';
import { loginOf, withHeartbeat } from './address.js';
import { declareOutbound, declareTopology, type Topology } from './topology.js';

/** Why nothing can be published now. */
export type Unusable = 'disconnected' | 'blocked';

/** Milliseconds before the first attempt to reconnect, and at the most between two: back within two seconds. */
const RECOVERY_DELAY = { initialDelay: 100, maxDelay: 2000 };
/** Milliseconds for TCP, TLS and the AMQP handshake together. */
const CONNECT_TIMEOUT_MS = 5000;
/** Frames that a channel buffers before it asks its writer to pause; the in-flight cap bounds it long before. */
const CHANNEL_BUFFER_FRAMES = 65_536;
/**
 * Bytes that one turn's messages may have and still leave in one write: the socket's own default, 16 KiB, is reached by
 * some twenty messages, and amqplib writes the rest one by one. Memory is bounded by the in-flight cap.
 */
const WRITE_BUFFER_BYTES = 1024 * 1024;
/** Milliseconds between attempts to open a channel anew on a connection that lives. */
const REOPEN_DELAY_MS = 250;
/** Milliseconds to wait for the broker's goodbye. */
const CLOSE_TIMEOUT_MS = 1000;

/** What the link is made of. */
export interface RabbitMqLinkOptions {
  readonly url: string;
  readonly tls: TlsFiles;
  readonly topology: Topology;
  readonly log: Log;
}

/** Who is told what happens on the link. */
export interface LinkListener {
  /** A connection has come up, with its channel and queues. */
  readonly onReady: () => void;
  /** The broker had no queue for a message; its confirm follows. */
  readonly onReturn: (messageId: string) => void;
}

/**
 * A connection that recovers by itself, and its confirm channel.
 *
 * amqplib restores the connection, not its channels: each new connection opens its channel and declares the queues
 * before it counts as usable. A channel that the broker closes alone (404, 406) does not start amqplib's recovery; it
 * is opened anew here.
 */
export class RabbitMqLink {
  readonly #options: RabbitMqLinkOptions;
  #recovering: RecoveringChannelModel | undefined;
  /** The connection that lives now. */
  #model: ChannelModel | undefined;
  #channel: ConfirmChannel | undefined;
  #coalescer: WriteCoalescer | undefined;
  #blocked = false;
  #closing = false;
  #lastChannelProblem = '';
  #restoring = false;
  #probe: Promise<void> | undefined;
  #listener: LinkListener = { onReady: () => {}, onReturn: () => {} };

  constructor(options: RabbitMqLinkOptions) {
    this.#options = options;
  }

  /** Begins to connect, and goes on trying for ever; returns at once. */
  async start(listener: LinkListener): Promise<void> {
    const { url, tls, log } = this.#options;
    this.#listener = listener;
    const socketOptions = {
      ...tls,
      ...loginOf(url),
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_TIMEOUT_MS,
      writableHighWaterMark: WRITE_BUFFER_BYTES,
    };
    const recovering = await connect(withHeartbeat(url), {
      ...socketOptions,
      recovery: {
        ...RECOVERY_DELAY,
        waitForConnect: false,
        setup: (model: ChannelModel) => this.#setUp(model),
      },
    });
    this.#recovering = recovering;
    const problems = new KnownProblems();
    recovering.on('connect-failed', (err) => {
      if (problems.isNew(err)) log.error({ err }, 'rabbitmq.connect_failed');
    });
    recovering.on('connect', () => {
      problems.forget();
      this.#lastChannelProblem = '';
      log.info('rabbitmq.ready');
      listener.onReady();
    });
    recovering.on('disconnect', (err) => log.warn({ err }, 'rabbitmq.disconnected'));
    // Told of a moment later by 'disconnect' or 'connect-failed'; unheard, it would end the process.
    recovering.on('error', () => {});
  }

  /** Why nothing can be published now; undefined = it can. */
  get unusable(): Unusable | undefined {
    if (this.#channel === undefined) return 'disconnected';
    return this.#blocked ? 'blocked' : undefined;
  }

  /**
   * Returns the channel to publish on now, or undefined while there is none. Everything published in this turn of the
   * event loop leaves in one write.
   */
  channelForPublish(): ConfirmChannel | undefined {
    if (this.#channel === undefined || this.#blocked) return undefined;
    this.#coalescer?.hold();
    return this.#channel;
  }

  /**
   * Asks the broker whether it is there, by a round trip on the channel that messages use; on the way the outbound
   * queue is made again if somebody deleted it.
   *
   * @throws when there is no channel, the broker blocks publishers, or nothing comes back within the limit
   */
  async ping(limitMs: number): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) throw new Error('not connected');
    if (this.#blocked) throw new Error('blocked by the broker');
    // One question at a time: a frozen broker must not gather a queue of them.
    this.#probe ??= declareOutbound(channel, this.#options.topology).finally(() => {
      this.#probe = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), limitMs);
    });
    try {
      await Promise.race([this.#probe, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Declares the queues again, after the broker said that one is not there; once at a time. */
  restoreQueues(): void {
    if (this.#channel === undefined || this.#restoring) return;
    this.#restoring = true;
    this.#options.log.warn('rabbitmq.queue_missing');
    declareTopology(this.#channel, this.#options.topology)
      .catch((err: unknown) => this.#options.log.error({ err }, 'rabbitmq.queue_not_restored'))
      .finally(() => {
        this.#restoring = false;
      });
  }

  /** Ends the connection for good; waits a moment for the broker's goodbye. */
  async close(): Promise<void> {
    this.#closing = true;
    const goodbye = this.#recovering?.close() ?? Promise.resolve();
    await Promise.race([
      goodbye.catch(() => {}),
      new Promise((resolve) => {
        setTimeout(resolve, CLOSE_TIMEOUT_MS).unref();
      }),
    ]);
    this.#channel = undefined;
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const { log } = this.#options;
    // Before anything else: an 'error' that nobody hears ends the process, and amqplib listens only after this setup.
    model.on('error', () => {});
    this.#model = model;
    model.on('close', () => {
      this.#model = undefined;
      this.#channel = undefined;
      this.#blocked = false;
    });
    model.on('blocked', (reason) => {
      this.#blocked = true;
      log.warn({ reason }, 'rabbitmq.blocked');
    });
    model.on('unblocked', () => {
      this.#blocked = false;
      log.info('rabbitmq.unblocked');
    });
    this.#blocked = false;
    this.#coalescer = coalescerOf(model);
    await this.#openChannel(model);
  }

  async #openChannel(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel({ highWaterMark: CHANNEL_BUFFER_FRAMES });
    channel.on('error', (err) => this.#channelClosed(err));
    channel.on('return', (message) => this.#listener.onReturn(String(message.properties.messageId)));
    await declareTopology(channel, this.#options.topology);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
      // When a connection ends its channels close first, in the same turn: look again when the turn is over.
      setImmediate(() => this.#reopenChannel(model));
    });
    this.#channel = channel;
  }

  /** Says once why the broker closes channels: a fault of the queues' properties comes back with every attempt. */
  #channelClosed(err: Error): void {
    if (err.message !== this.#lastChannelProblem) this.#options.log.error({ err }, 'rabbitmq.channel_closed');
    this.#lastChannelProblem = err.message;
  }

  /** Opens a channel on a connection that still lives, again and again until it does or the connection ends. */
  #reopenChannel(model: ChannelModel): void {
    if (this.#model !== model || this.#closing) return;
    this.#openChannel(model).catch((err: unknown) => {
      this.#options.log.error({ err }, 'rabbitmq.channel_not_reopened');
      setTimeout(() => this.#reopenChannel(model), REOPEN_DELAY_MS).unref();
    });
  }
}

/** amqplib does not publish its socket's type; without a socket writes are only not gathered. */
function coalescerOf({ connection }: ChannelModel): WriteCoalescer | undefined {
  return 'stream' in connection && connection.stream instanceof Duplex
    ? new WriteCoalescer(connection.stream)
    : undefined;
}
