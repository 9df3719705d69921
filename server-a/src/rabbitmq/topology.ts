import type { Channel } from 'amqplib';

/** The queues that Server A writes to. */
export interface Topology {
  readonly outboundQueue: string;
  readonly heartbeatQueue: string;
  readonly queueType: 'quorum' | 'classic';
}

/** Heartbeats kept for a Server B that is away: enough to see a history, bounded so that its absence costs nothing. */
const HEARTBEAT_MAX_LENGTH = 100;
/** Milliseconds after which a heartbeat is stale: fifteen missed intervals at the default. */
const HEARTBEAT_TTL_MS = 900_000;

/** Name of the queue that takes messages which outlived their TTL or were rejected. */
export function deadLetterQueue(outboundQueue: string): string {
  return `${outboundQueue}.dead`;
}

/**
 * Declares the queues of messages; harmless where they exist already with the same properties. On a cluster of three or
 * more nodes RabbitMQ gives a new quorum queue three members.
 *
 * @throws when a queue exists with other properties (406); amqplib's error then says which
 */
export async function declareTopology(channel: Channel, topology: Topology): Promise<void> {
  const { outboundQueue, queueType } = topology;
  await channel.assertQueue(deadLetterQueue(outboundQueue), {
    durable: true,
    arguments: { 'x-queue-type': queueType },
  });
  await declareOutbound(channel, topology);
}

/**
 * Declares the queue of heartbeats where there is none. A queue that exists is used as it is.
 *
 * A queue that lives on one node cannot be declared while that node is away, and the attempt closes its channel. That must
 * not keep messages from being sent, so this takes a way to channels of its own.
 *
 * @param onOwnChannel runs a function on a new channel
 * @throws when the queue is there and cannot be used
 */
export async function declareHeartbeatQueue(
  onOwnChannel: <T>(use: (channel: Channel) => Promise<T>) => Promise<T>,
  { heartbeatQueue, queueType }: Topology,
): Promise<void> {
  try {
    await onOwnChannel((channel) => channel.checkQueue(heartbeatQueue));
  } catch {
    // The queue is not there, or cannot be used: the declaration shows which.
    await onOwnChannel((channel) =>
      channel.assertQueue(heartbeatQueue, {
        durable: true,
        maxLength: HEARTBEAT_MAX_LENGTH,
        messageTtl: HEARTBEAT_TTL_MS,
        arguments: { 'x-queue-type': queueType },
      }),
    );
  }
}

/** Declares the outbound queue alone: cheap enough to ask for at every readiness check. */
export async function declareOutbound(
  channel: Channel,
  { outboundQueue, queueType }: Topology,
): Promise<void> {
  await channel.assertQueue(outboundQueue, {
    durable: true,
    deadLetterExchange: '',
    deadLetterRoutingKey: deadLetterQueue(outboundQueue),
    arguments: { 'x-queue-type': queueType },
  });
}
