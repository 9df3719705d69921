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
 * Declares all queues; harmless where they exist already with the same properties.
 *
 * @throws when a queue exists with other properties (406); amqplib's error then says which
 */
export async function declareTopology(channel: Channel, topology: Topology): Promise<void> {
  const { outboundQueue, heartbeatQueue, queueType } = topology;
  await channel.assertQueue(deadLetterQueue(outboundQueue), {
    durable: true,
    arguments: { 'x-queue-type': queueType },
  });
  await declareOutbound(channel, topology);
  await channel.assertQueue(heartbeatQueue, {
    durable: true,
    maxLength: HEARTBEAT_MAX_LENGTH,
    messageTtl: HEARTBEAT_TTL_MS,
    arguments: { 'x-queue-type': 'classic' },
  });
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
