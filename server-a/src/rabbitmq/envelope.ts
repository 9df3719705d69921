/** The message that Server B receives, and the AMQP properties that it travels with. */
import type { Client, Fingerprints } from '../config/registry.js';
import type { SendRequest } from '../request/state.js';
import type { TraceContext } from '../request/trace-context.js';
import { type OutgoingMessage, SET_BY_PUBLISHER } from './publisher.js';

/** AMQP `type` of an envelope, with its version; Server B chooses its reader by it. */
export const ENVELOPE_TYPE = 'sms.outbound.v1';

/** What an accepted request says. */
export interface Envelope {
  /** UUIDv4. */
  readonly trackingId: string;
  readonly client: Client;
  /** As it was checked; its providers are as the sender wrote them, and left out where there were none. */
  readonly request: SendRequest;
  /** Canonical names that passed the gate, in order; empty = Server B chooses. */
  readonly providersEffective: readonly string[];
  readonly fingerprints: Fingerprints;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Travels in the AMQP headers. */
  readonly trace: TraceContext | undefined;
}

/** Properties that all messages have in common. */
export interface EnvelopeTarget {
  readonly queue: string;
  readonly serviceName: string;
}

/** JSON texts, by the object that they describe: many envelopes have their client and configuration in common. */
const texts = new WeakMap<object, string>();

/** Returns the JSON of what belongs to an object that does not change; made once for the object. */
function textOf(object: object, value: unknown): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(object, text);
  }
  return text;
}

/**
 * Returns the JSON of an envelope, put together from texts that are ready: this takes a third of what JSON.stringify takes
 * for the whole. Id, number and time have nothing in them that JSON would escape.
 */
function jsonOf({
  trackingId,
  client,
  request,
  providersEffective,
  fingerprints,
  createdAt,
}: Envelope): string {
  const { to, text, ttlSeconds, providers } = request;
  const original = providers === undefined ? '' : `"providers_original":${JSON.stringify(providers)},`;
  const effective = providersEffective.length === 0 ? '[]' : JSON.stringify(providersEffective);
  return `{"tracking_id":"${trackingId}","client_key":${textOf(client, client.id)},"to":"${to}","text":${JSON.stringify(text)},"ttl_seconds":${ttlSeconds},${original}"providers_effective":${effective},"config_fingerprint":${textOf(fingerprints, fingerprints)},"created_at":"${createdAt}"}`;
}

/** Makes the AMQP message of an envelope: persistent, mandatory, gone to the dead letters when its TTL has passed. */
export function toMessage(envelope: Envelope, { queue, serviceName }: EnvelopeTarget): OutgoingMessage {
  return {
    kind: 'sms',
    client: envelope.client.id,
    queue,
    content: Buffer.from(jsonOf(envelope)),
    options: {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId: envelope.trackingId,
      correlationId: SET_BY_PUBLISHER,
      timestamp: Math.floor(Date.now() / 1000),
      appId: serviceName,
      type: ENVELOPE_TYPE,
      expiration: String(envelope.request.ttlSeconds * 1000),
      ...(envelope.trace !== undefined && { headers: traceHeaders(envelope.trace) }),
    },
  };
}

function traceHeaders({ traceparent, tracestate }: TraceContext): Readonly<Record<string, string>> {
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
