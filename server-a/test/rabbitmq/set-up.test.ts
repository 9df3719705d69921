/** A connection to RabbitMQ that ends while it is being set up: at every step, in every way, the gateway comes back. */
import { randomBytes, randomUUID } from 'node:crypto';
import test from 'ava';
import { createLog } from '../../src/logging/log.js';
import { createMetrics } from '../../src/metrics.js';
import { RabbitMqLink } from '../../src/rabbitmq/connect.js';
import { Publisher, SET_BY_PUBLISHER } from '../../src/rabbitmq/publisher.js';
import { deadLetterQueue } from '../../src/rabbitmq/topology.js';
import { BROKER_SAYS, type Interference, type Place, startAmqpProxy } from '../support/amqp-proxy.js';
import { onChannel } from '../support/outbox.js';
import { RABBITMQ_URL } from '../support/test-services.js';
import { waitFor } from '../support/wait-for.js';

const ID = randomBytes(5).toString('hex');
const TOPOLOGY = {
  outboundQueue: `test.${ID}.outbound`,
  heartbeatQueue: `test.${ID}.heartbeat`,
  queueType: 'classic',
} as const;

test.after.always(() =>
  onChannel(async (channel) => {
    const { outboundQueue, heartbeatQueue } = TOPOLOGY;
    for (const queue of [outboundQueue, heartbeatQueue, deadLetterQueue(outboundQueue)]) {
      await channel.deleteQueue(queue);
    }
  }),
);

const STEPS: readonly Place[] = [
  { after: 'open-ok', nth: 1 },
  { after: 'channel.open-ok', nth: 1 },
  { after: 'confirm.select-ok', nth: 1 },
  { after: 'queue.declare-ok', nth: 1 },
  { after: 'queue.declare-ok', nth: 2 },
];
const INTERFERENCES: readonly Interference[] = [
  'connection closed',
  'channel closed',
  'end',
  'reset',
  'silence',
  'channel closed, then silence',
];

/** Publishes by way of a disturbed connection until the broker confirms. */
async function publishThrough(place: Place, interference: Interference): Promise<number> {
  const proxy = await startAmqpProxy(RABBITMQ_URL, place, interference);
  // Two heartbeats that do not come are what ends a silent connection.
  const url = new URL(proxy.url);
  url.searchParams.set('heartbeat', '1');
  const log = createLog('test', 'silent', { write: () => {} });
  const link = new RabbitMqLink({ urls: url.href, tls: {}, topology: TOPOLOGY, log });
  const publisher = new Publisher(link, createMetrics(), 2000, 100);
  try {
    publisher.start(() => {});
    await waitFor(
      'a confirmed message',
      async () => {
        const { end } = await publisher.publish({
          kind: 'sms',
          queue: TOPOLOGY.outboundQueue,
          content: Buffer.from('{}'),
          options: { messageId: randomUUID(), correlationId: SET_BY_PUBLISHER, mandatory: true },
        });
        return end === 'confirmed';
      },
      { withinMs: 60_000 },
    );
    return proxy.made();
  } finally {
    await link.close();
    await proxy.close();
  }
}

for (const interference of INTERFERENCES) {
  test(`rabbitmq: ${interference} at any step of the set-up -> a new connection, and messages are confirmed`, async (t) => {
    const made = await Promise.all(
      STEPS.map(async (place) => {
        // Nothing can close a channel that is not there.
        if (place.after === 'open-ok' && interference.startsWith('channel')) return 2;
        return publishThrough(place, interference).catch((error: unknown) => {
          throw new Error(`${place.after} ${place.nth}: ${String(error)}`);
        });
      }),
    );
    // A channel that is closed alone is opened anew on the same connection.
    const least = interference === 'channel closed' ? 1 : 2;
    for (const [n, count] of made.entries())
      t.true(count >= least, `${STEPS[n]?.after} ${STEPS[n]?.nth}: ${count}`);
  });
}

test('rabbitmq: the places of the tests above -> all there is to say', (t) => {
  t.deepEqual(new Set(STEPS.map(({ after }) => after)), new Set(Object.keys(BROKER_SAYS)));
});
