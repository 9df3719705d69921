/** The link to RabbitMQ: a connection to one of its nodes, kept for ever, and one confirm channel on it. */
import type { ConfirmChannel } from 'amqplib';
import { KnownProblems } from '../connection/known-problems.js';
import type { TlsOptions } from '../connection/tls-context.js';
import { within } from '../connection/within.js';
import type { Log } from '../logging/log.js';
import { ChannelKeeper } from './channel-keeper.js';
import { NodeConnection } from './node-connection.js';
import { NodeWatch } from './node-watch.js';
import { nodesOf, type RabbitMqNode } from './nodes.js';
import type { LateEnd, LinkListener, MessageKind, Unusable } from './publish-link.js';
import { stayConnected } from './stay-connected.js';
import { declareHeartbeatQueue, declareOutbound, declareTopology, type Topology } from './topology.js';

/** Milliseconds for TCP, TLS and the AMQP handshake together; fewer where another node can be tried instead. */
const CONNECT_TIMEOUT_MS = { only: 5000, oneOfSeveral: 2000 };
/** Milliseconds for the channel and the queues of a new connection. */
const SET_UP_LIMIT_MS = 5000;
/** Milliseconds that messages wait for the queue of heartbeats, and no longer. */
const HEARTBEAT_QUEUE_LIMIT_MS = 2000;
/** Milliseconds to wait for the broker's goodbye. */
const CLOSE_TIMEOUT_MS = 1000;

/** What the link is made of. */
export interface RabbitMqLinkOptions {
  /** RABBITMQ_URL: one URL or several. */
  readonly urls: string;
  readonly tls: TlsOptions;
  readonly topology: Topology;
  readonly log: Log;
}

/**
 * A connection to one node, and its confirm channel. When the connection ends, the other nodes are tried at once, in
 * random order; when all have failed, again after a pause that grows. A connection counts as usable when its channel is
 * open and its queues are declared.
 */
export class RabbitMqLink {
  readonly #options: RabbitMqLinkOptions;
  readonly #nodes: readonly RabbitMqNode[];
  readonly #closing = new AbortController();
  readonly #problems = new KnownProblems();
  readonly #heartbeatProblems = new KnownProblems();
  /** The connection that lives now, set up or about to be. */
  #connection: NodeConnection | undefined;
  #keeper: ChannelKeeper | undefined;
  /** Only where there is another node to go to. */
  #watch: NodeWatch | undefined;
  #restoring = false;
  #probe: { readonly channel: ConfirmChannel; readonly answer: Promise<void> } | undefined;
  #listener: LinkListener = { onReady: () => {}, onReturn: () => {} };

  constructor(options: RabbitMqLinkOptions) {
    this.#options = options;
    this.#nodes = nodesOf(options.urls);
  }

  /** Begins to connect, and goes on trying for ever; returns at once. */
  start(listener: LinkListener): void {
    const { log } = this.#options;
    this.#listener = listener;
    void stayConnected({
      nodes: this.#nodes,
      connect: (node) => this.#connect(node),
      failed: ({ name: node }, err) => {
        if (this.#problems.isNew(err)) log.error({ node, err }, 'rabbitmq.connect_failed');
      },
      ended: ({ name: node }, err) => log.warn({ node, err }, 'rabbitmq.disconnected'),
      closing: this.#closing.signal,
    });
  }

  /** Why nothing can be published now; undefined = it can. */
  get unusable(): Unusable | undefined {
    if (this.#keeper?.channel === undefined) return 'disconnected';
    return this.#connection?.blocked === true ? 'blocked' : undefined;
  }

  /**
   * Returns the channel to publish on now, or undefined while there is none. Everything published in this turn of the
   * event loop leaves in one write.
   */
  channelForPublish(): ConfirmChannel | undefined {
    const channel = this.#keeper?.channel;
    if (channel === undefined || this.#connection?.blocked === true) return undefined;
    this.#connection?.holdWrites();
    return channel;
  }

  /** Is told how publishes end: by that the channel and the node are judged. @param sentAt of `performance.now()` */
  ended(kind: MessageKind, end: LateEnd | 'timed_out', sentAt: number): void {
    if (end === 'confirmed') {
      this.#keeper?.confirmed(kind);
      this.#watch?.confirmed();
    } else if (end === 'nacked') {
      this.#keeper?.unconfirmed(kind);
    } else if (end === 'timed_out' && this.#connection?.blocked !== true) {
      this.#keeper?.unconfirmed(kind);
      this.#watch?.timedOut(sentAt);
    }
  }

  /**
   * Asks the broker whether it is there, by a round trip on the channel that messages use; on the way the outbound
   * queue is made again if somebody deleted it.
   *
   * @throws when there is no channel, the broker blocks publishers, or nothing comes back within the limit
   */
  async ping(limitMs: number): Promise<void> {
    const channel = this.#keeper?.channel;
    if (channel === undefined) throw new Error('not connected');
    if (this.#connection?.blocked === true) throw new Error('blocked by the broker');
    // One question at a time: a frozen broker must not gather a queue of them.
    if (this.#probe?.channel !== channel) {
      const answer = declareOutbound(channel, this.#options.topology).finally(() => {
        if (this.#probe?.channel === channel) this.#probe = undefined;
      });
      this.#probe = { channel, answer };
    }
    const { answer } = this.#probe;
    try {
      await within(limitMs, answer, 'no answer');
    } catch (error) {
      if (this.#probe?.answer === answer) this.#watch?.unanswered();
      throw error;
    }
  }

  /** Declares the queues again, after the broker said that one is not there; once at a time. */
  restoreQueues(): void {
    const [connection, channel] = [this.#connection, this.#keeper?.channel];
    if (connection === undefined || channel === undefined || this.#restoring) return;
    this.#restoring = true;
    this.#options.log.warn('rabbitmq.queue_missing');
    declareTopology(channel, this.#options.topology)
      .then(() => this.#declareHeartbeatQueue(connection))
      .catch((err: unknown) => this.#options.log.error({ err }, 'rabbitmq.queue_not_restored'))
      .finally(() => {
        this.#restoring = false;
      });
  }

  /** Ends the connection for good; waits a moment for the broker's goodbye. */
  async close(): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection === undefined) return;
    await connection.close(CLOSE_TIMEOUT_MS);
    this.#forget(connection);
  }

  async #connect(node: RabbitMqNode): Promise<NodeConnection> {
    const several = this.#nodes.length > 1;
    const limitMs = several ? CONNECT_TIMEOUT_MS.oneOfSeveral : CONNECT_TIMEOUT_MS.only;
    const connection = await NodeConnection.open(node, this.#options.tls, limitMs);
    this.#connection = connection;
    try {
      await within(SET_UP_LIMIT_MS, this.#setUp(connection), 'no channel in time');
      if (!connection.alive || this.#closing.signal.aborted) throw new Error('closed while being set up');
    } catch (error) {
      this.#forget(connection);
      await connection.close(CLOSE_TIMEOUT_MS);
      throw error;
    }
    this.#problems.forget();
    if (several) this.#watch = this.#watchOver(connection);
    void connection.ended.then(() => this.#forget(connection));
    this.#options.log.info({ node: node.name }, 'rabbitmq.ready');
    this.#listener.onReady();
    return connection;
  }

  async #setUp(connection: NodeConnection): Promise<void> {
    const { log } = this.#options;
    connection.onBlocked(
      (reason) => log.warn({ node: connection.node.name, reason }, 'rabbitmq.blocked'),
      () => log.info({ node: connection.node.name }, 'rabbitmq.unblocked'),
    );
    const keeper = new ChannelKeeper({
      connection,
      topology: this.#options.topology,
      log,
      onReturn: this.#listener.onReturn,
    });
    await keeper.open();
    if (this.#connection === connection) this.#keeper = keeper;
    await this.#declareHeartbeatQueue(connection);
  }

  async #declareHeartbeatQueue(connection: NodeConnection): Promise<void> {
    try {
      const declared = declareHeartbeatQueue((use) => connection.onOwnChannel(use), this.#options.topology);
      await within(HEARTBEAT_QUEUE_LIMIT_MS, declared, 'no answer');
      this.#heartbeatProblems.forget();
    } catch (thrown) {
      const err = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (connection.alive && this.#heartbeatProblems.isNew(err)) {
        this.#options.log.error({ err }, 'rabbitmq.heartbeat_queue_unusable');
      }
    }
  }

  #watchOver(connection: NodeConnection): NodeWatch {
    return new NodeWatch({
      ask: () => connection.onOwnChannel(async () => {}),
      blocked: () => connection.blocked,
      leave: (reason) => {
        if (!connection.alive) return;
        this.#options.log.warn({ node: connection.node.name, reason }, 'rabbitmq.node_left');
        connection.abandon(new Error(`the node was left: ${reason}`));
      },
    });
  }

  #forget(connection: NodeConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#keeper = undefined;
    this.#watch = undefined;
  }
}
