/** The message that Server B receives, and the AMQP properties that it travels with. */
import type { Client, Fingerprints } from '../config/registry.js';
import { madeOnce } from '../made-once.js';
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

/** Parts of envelopes: many have client and configuration in common. */
const fromIdToRecipient = madeOnce(({ id }: Client) => `","client_key":${JSON.stringify(id)},"to":"`);
const fromProvidersToTime = madeOnce(
  (fingerprints: Fingerprints) => `,"config_fingerprint":${JSON.stringify(fingerprints)},"created_at":"`,
);

const NO_PROVIDERS = ',"providers_effective":[]';

function providersOf({ request: { providers }, providersEffective }: Envelope): string {
  if (providers === undefined && providersEffective.length === 0) return NO_PROVIDERS;
  const original = providers === undefined ? '' : `,"providers_original":${JSON.stringify(providers)}`;
  return `${original},"providers_effective":${JSON.stringify(providersEffective)}`;
}

/**
 * Returns the JSON of an envelope, put together from few and long texts: this takes a third of what JSON.stringify takes
 * for the whole, and each text more takes memory. Id, number, recipient and time have nothing in them that JSON would escape.
 */
function jsonOf(envelope: Envelope): string {
  const { trackingId, client, request, fingerprints, createdAt } = envelope;
  const { to, text, ttlSeconds } = request;
  return `{"tracking_id":"${trackingId}${fromIdToRecipient(client)}${to}","text":${JSON.stringify(text)},"ttl_seconds":${ttlSeconds}${providersOf(envelope)}${fromProvidersToTime(fingerprints)}${createdAt}"}`;
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
      headers: envelope.trace === undefined ? undefined : traceHeaders(envelope.trace),
    },
  };
}

function traceHeaders({ traceparent, tracestate }: TraceContext): Readonly<Record<string, string>> {
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}
