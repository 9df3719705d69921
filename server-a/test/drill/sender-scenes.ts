/** Scenes of what senders do, and of what their configuration says. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { first, repeat, type Scene } from './scene.js';
import { API_KEY, DAILY_QUOTA, ENDING_KEY, EXPIRED_KEY, type Stack, TEXTS } from './stack.js';

/** Puts another text into a file of every replica. */
async function configureAll(stack: Stack, file: 'clients' | 'providers', text: string): Promise<void> {
  for (const replica of stack.replicas) await replica.configure(file, text);
}

/** Every scene of the senders, in order. */
export const SENDER_SCENES: readonly Scene[] = [
  {
    title: 'keys: one that is in use ends within a week, and another one has ended',
    begin: async (stack) => {
      await configureAll(stack, 'clients', TEXTS.clientsWithKeysThatEnd);
      const stopExpired = repeat(1000, () => stack.post(first(stack).address, EXPIRED_KEY));
      stack.load.apiKey = ENDING_KEY;
      return async () => {
        stack.load.apiKey = API_KEY;
        await stopExpired();
        await configureAll(stack, 'clients', TEXTS.clients);
      };
    },
    expected: { 'ServerAApiKeyExpired warn': 45, 'ServerAApiKeyEnds warn': 110 },
  },
  {
    title: 'quota: a client has used 80% of it, and then 95%',
    begin: async (stack) => {
      const counter = `quota:${API_KEY}:${new Date().toISOString().slice(0, 10)}`;
      await stack.redisAdmin.incrby(counter, 0.85 * DAILY_QUOTA);
      await pause(20_000);
      await stack.redisAdmin.incrby(counter, 0.1 * DAILY_QUOTA);
      return async () => void (await stack.redisAdmin.decrby(counter, 0.95 * DAILY_QUOTA));
    },
    expected: { 'ServerAQuotaNearlyUsed warn': 30, 'ServerAQuotaNearlyUsed page': 50 },
  },
  {
    title: 'provider: none is active any more',
    begin: async (stack) => {
      await configureAll(stack, 'providers', TEXTS.noProvider);
      return () => configureAll(stack, 'providers', TEXTS.providers);
    },
    expected: { 'ServerANoProvider page': 90 },
  },
  {
    title: 'throttled: a client sends four times what it may in a second',
    begin: async (stack) => {
      await configureAll(stack, 'clients', TEXTS.slowClient);
      return () => configureAll(stack, 'clients', TEXTS.clients);
    },
    expected: { 'ServerAClientThrottled warn': 480 },
  },
  {
    title: 'connections: more than a replica takes',
    begin: async (stack) => {
      const replica = await stack.startReplica({ MAX_CONNECTIONS: '20' });
      // Prometheus has its connection by then, and keeps it.
      await pause(15_000);
      const open = new Set<Socket>();
      const stopOpening = repeat(500, () => {
        while (open.size < 30) {
          const socket = connect(8000, replica.address).on('error', () => {});
          open.add(socket.on('close', () => open.delete(socket)));
        }
      });
      return async () => {
        await stopOpening();
        for (const socket of open) socket.destroy();
        await stack.endReplica(replica, 'SIGTERM');
      };
    },
    expected: { 'ServerAConnectionsFull page': 100 },
    allowed: ['ServerAReplicaSilent warn'],
  },
];
