import test from 'ava';
import fc from 'fast-check';
import { type Envelope, toMessage } from '../../../src/rabbitmq/envelope.js';
import { anyText } from '../../support/any-text.js';
import { API_KEYS, REGISTRY } from '../../support/context.js';

const [client] = REGISTRY.clients;
const TARGET = { queue: 'outbound', serviceName: 'server-a' };

const texts = anyText({ minLength: 1 });
const requests = fc.record({
  to: fc.stringMatching(/^\+[1-9][0-9]{6,14}$/),
  text: texts,
  ttlSeconds: fc.integer({ min: 10, max: 86_400 }),
  providers: fc.option(fc.array(texts), { nil: undefined }),
});

test('envelope: any request -> its content is what JSON.stringify says of it', (t) => {
  if (client === undefined) throw new Error('there is a client');
  const property = fc.property(requests, fc.array(texts), (request, providersEffective) => {
    const envelope: Envelope = {
      trackingId: '5c566966-b31a-491a-ade4-a5192c76c14d',
      client: { ...client, id: `${API_KEYS.active}"\\` },
      request,
      providersEffective,
      fingerprints: REGISTRY.fingerprints,
      createdAt: '2026-11-26T09:26:56.000Z',
      trace: undefined,
    };
    const expected = JSON.stringify({
      tracking_id: envelope.trackingId,
      client_key: envelope.client.id,
      to: request.to,
      text: request.text,
      ttl_seconds: request.ttlSeconds,
      providers_original: request.providers,
      providers_effective: providersEffective,
      config_fingerprint: envelope.fingerprints,
      created_at: envelope.createdAt,
    });
    return toMessage(envelope, TARGET).content.equals(Buffer.from(expected));
  });
  t.notThrows(() => fc.assert(property));
});
