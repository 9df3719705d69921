/** What a publisher needs of a connection to the broker, and what the two tell each other. */
import type { ConfirmChannel } from 'amqplib';
import type { PublishEnd } from '../attempt/outcomes.js';

/** Kinds of messages. */
export type MessageKind = 'sms' | 'heartbeat';

/** Why nothing can be published now. */
export type Unusable = 'disconnected' | 'blocked';

/** How a publish that timed out ends at last; `connection_lost`: nobody will ever know. */
export type LateEnd = Exclude<PublishEnd, 'not_sent' | 'timed_out'>;

/** Who is told what happens on the link. */
export interface LinkListener {
  /** A connection has come up, with its channel and queues. */
  readonly onReady: () => void;
  /** The broker had no queue for a message; its confirm follows. @param publishId the message's correlation id */
  readonly onReturn: (publishId: string) => void;
}

/** What a publisher needs of a connection to the broker: RabbitMqLink, or a simulated one. */
export interface PublishLink {
  /** Why nothing can be published now; undefined = it can. */
  readonly unusable: Unusable | undefined;
  /** Channel to publish on now; undefined = none. */
  channelForPublish(): Pick<ConfirmChannel, 'publish'> | undefined;
  restoreQueues(): void;
  start(listener: LinkListener): void;
  /** Is told how publishes end, by which a link judges its node. @param sentAt of `performance.now()` */
  ended?(kind: MessageKind, end: LateEnd | 'timed_out', sentAt: number): void;
}
