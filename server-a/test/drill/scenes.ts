/** The scenes of the drill. */
import { setTimeout as pause } from 'node:timers/promises';
import { first, refuseMessages, repeat, type Scene } from './scene.js';
import { SENDER_SCENES } from './sender-scenes.js';
import { SERVICE_SCENES } from './service-scenes.js';
import { TEXTS } from './stack.js';

const nothing = async (): Promise<void> => {};

/** Every scene, in order. */
export const SCENES: readonly Scene[] = [
  {
    title: 'start: a load on new replicas',
    begin: async () => nothing,
    expected: {},
    watchSeconds: 225,
  },
  {
    title: 'update: a replica is removed for good, the others are replaced one after the other',
    begin: async (stack, watchers) => {
      await watchers.expect('sms:replicas:expected', 2);
      await pause(12_000);
      await stack.endReplica(first(stack), 'SIGTERM');
      for (const old of [...stack.replicas]) {
        await stack.startReplica();
        await stack.endReplica(old, 'SIGTERM');
      }
      return nothing;
    },
    expected: {},
    watchSeconds: 225,
  },
  {
    // Early: an hour's share of slow answers counts all the traffic before it as well.
    title: 'slow: the broker and the replicas stall again and again',
    begin: async (stack) => {
      const stopBroker = repeat(1600, () => {
        stack.rabbitmq.freeze();
        setTimeout(() => stack.rabbitmq.resume(), 1100);
      });
      const stopReplica = repeat(700, () => {
        const { process } = first(stack);
        process.signal('SIGSTOP');
        setTimeout(() => process.signal('SIGCONT'), 300);
      });
      return async () => {
        await Promise.all([stopBroker(), stopReplica()]);
        await pause(1000);
      };
    },
    expected: {
      'ServerAConfirmLatency warn': 200,
      'ServerASlowAnswers page': 330,
      'ServerAEventLoopLag warn': 120,
    },
    allowed: [
      'ServerAErrorBudget page',
      'ServerAPublishFailures warn',
      'ServerANotReady page',
      'QueueDelayed warn',
    ],
  },
  {
    title: 'crash: one replica of two is gone, and its address with it',
    begin: async (stack) => {
      await stack.endReplica(first(stack), 'SIGKILL');
      return async () => void (await stack.startReplica());
    },
    expected: { 'ServerAReplicaMissing warn': 150 },
  },
  {
    title:
      'unwell: a frozen replica, a lost API key, no consumer, short lives, an evicting Redis, refused heartbeats',
    begin: async (stack) => {
      const frozen = first(stack);
      const other = stack.replicas[1];
      frozen.process.signal('SIGSTOP');
      stack.load.ttlSeconds = 10;
      await stack.stopConsumer();
      await stack.redisAdmin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await refuseMessages(stack, 'refuse', '^sms.heartbeat$');
      const stopRefused = repeat(300, () => other && stack.post(other.address, 'a-key-that-nobody-has'));
      return async () => {
        frozen.process.signal('SIGCONT');
        stack.load.ttlSeconds = 3600;
        await stopRefused();
        await stack.rabbitmq.ctl('clear_policy', 'refuse');
        await stack.redisAdmin.config('SET', 'maxmemory-policy', 'noeviction');
        await stack.startConsumer();
      };
    },
    expected: {
      'ServerAReplicaSilent warn': 90,
      'ServerAUnauthorized warn': 210,
      'RedisForgets warn': 90,
      'QueueWithoutConsumer page': 150,
      'QueueDeadLetters warn': 90,
      'QueueDeadLetters page': 180,
      'ServerAHeartbeatsMissing warn': 330,
    },
    allowed: ['QueueDelayed warn'],
  },
  {
    title: 'backlog: nobody takes messages for longer than a quarter of an hour',
    begin: async (stack) => {
      await stack.stopConsumer();
      return () => stack.startConsumer();
    },
    expected: { 'QueueWithoutConsumer page': 150, 'QueueDelayed warn': 400, 'QueueDelayed page': 1020 },
    notBefore: { 'QueueWithoutConsumer page': 110, 'QueueDelayed warn': 300, 'QueueDelayed page': 900 },
  },
  ...SERVICE_SCENES,
  {
    title: 'files: one replica refuses its new clients, then reads others than its neighbour',
    begin: async (stack) => {
      const replica = first(stack);
      await replica.configure('clients', '{');
      await pause(40_000);
      await replica.configure('clients', TEXTS.otherClients);
      return () => replica.configure('clients', TEXTS.clients);
    },
    expected: { 'ServerAConfigurationRefused warn': 40, 'ServerAConfigurationsDiffer page': 190 },
  },
  ...SENDER_SCENES,
  {
    title: 'memory: a replica holds more than it ever should',
    begin: async (stack) => {
      const ballast = 'data:text/javascript,globalThis.ballast=Buffer.alloc(4.5e8,1)';
      const replica = await stack.startReplica({ NODE_OPTIONS: `--import=${ballast}` });
      return () => stack.endReplica(replica, 'SIGTERM');
    },
    expected: { 'ServerAMemory warn': 160 },
  },
  {
    title: 'loop: a replica crashes again and again',
    begin: async (stack) => {
      let ended = false;
      const loop = (async () => {
        while (!ended) {
          await stack.endReplica(first(stack), 'SIGKILL');
          await stack.startReplica();
          await pause(12_000);
        }
      })();
      return async () => {
        ended = true;
        await loop;
      };
    },
    expected: { 'ServerARestarting warn': 150 },
  },
  {
    title: 'dark: all replicas are gone, and then a queue as well',
    begin: async (stack) => {
      for (const replica of [...stack.replicas]) await stack.endReplica(replica, 'SIGKILL');
      await stack.stopConsumer();
      await stack.rabbitmq.ctl('delete_queue', 'sms.outbound');
      return async () => {
        await stack.startReplica();
        await stack.startReplica();
        await stack.startConsumer();
      };
    },
    expected: { 'ServerADown page': 75, 'QueueMissing page': 90 },
    allowed: ['QueueDeleted page', 'ServerARestarting warn'],
  },
  {
    title: 'silence: nobody sends, and somebody always does',
    begin: async (stack, watchers) => {
      await watchers.expect('sms:requests_per_minute:expected', 900);
      await pause(60_000);
      stack.sending = false;
      return async () => {
        stack.sending = true;
        await watchers.expect('sms:requests_per_minute:expected', 0);
      };
    },
    expected: { 'ServerANoTraffic page': 560 },
  },
];
