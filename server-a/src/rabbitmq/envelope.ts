/** The message that Server B receives, and the AMQP properties that it travels with. */
import type { Client, Fingerprints } from '../config/registry.js';
import type { TraceContext } from '../trace-context.js';
import type { OutgoingMessage } from './publisher.js';

/** AMQP `type` of an envelope, with its version; Server B chooses its reader by it. */
export const ENVELOPE_TYPE = 'sms.outbound.v1';

/** What an accepted request says. */
export interface Envelope {
  /** UUIDv4. */
  readonly trackingId: string;
  readonly client: Client;
  /** E.164. */
  readonly to: string;
  readonly text: string;
  readonly ttlSeconds: number;
  /** As the sender wrote them; undefined = the sender named none, and the field is left out. */
  readonly providersOriginal: readonly string[] | undefined;
  /** Canonical names that passed the gate, in order; empty = Server B chooses. */
  readonly providersEffective: readonly string[];
  readonly fingerprints: Fingerprints;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Travels in the AMQP headers. */
  readonly trace: TraceContext | undefined;
}

/** What of a message's properties is the same for all of them. */
export interface EnvelopeTarget {
  readonly queue: string;
  readonly serviceName: string;
}

/** Makes the AMQP message of an envelope: persistent, mandatory, gone to the dead letters when its TTL has passed. */
export function toMessage(envelope: Envelope, { queue, serviceName }: EnvelopeTarget): OutgoingMessage {
  return {
    kind: 'sms',
    queue,
    content: Buffer.from(
      JSON.stringify({
        tracking_id: envelope.trackingId,
        client_key: envelope.client.key,
        to: envelope.to,
        text: envelope.text,
        ttl_seconds: envelope.ttlSeconds,
        providers_original: envelope.providersOriginal,
        providers_effective: envelope.providersEffective,
        config_fingerprint: envelope.fingerprints,
        created_at: envelope.createdAt,
      }),
    ),
    options: {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId: envelope.trackingId,
      timestamp: Math.floor(Date.now() / 1000),
      appId: serviceName,
      type: ENVELOPE_TYPE,
      expiration: String(envelope.ttlSeconds * 1000),
      ...(envelope.trace !== undefined && { headers: traceHeaders(envelope.trace) }),
    },
  };
}

function traceHeaders({ traceparent, tracestate }: TraceContext): Readonly<Record<string, string>> {
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
