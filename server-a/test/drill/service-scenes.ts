/** Scenes in which something happens to Redis or RabbitMQ. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { encryptBroker } from './encrypted-broker.js';
import { refuseMessages, type Scene } from './scene.js';

/** What follows from a service that is away: shown, and not sent while ServerANotReady fires. */
const OF_LOST_SERVICES = [
  'ServerAErrorBudget page',
  'ServerAPublishFailures warn',
  'ServerAHeartbeatsMissing warn',
  'ServerASlowAnswers page',
  'ServerAConfirmLatency warn',
];

/** Every scene of the two services, in order. */
export const SERVICE_SCENES: readonly Scene[] = [
  {
    title: 'blocked: the memory alarm of the broker',
    begin: async (stack) => {
      await stack.rabbitmq.ctl('set_vm_memory_high_watermark', '0.0001');
      return async () => void (await stack.rabbitmq.ctl('set_vm_memory_high_watermark', '0.4'));
    },
    expected: { 'ServerABrokerBlocked page': 45, 'ServerAErrorBudget page': 120 },
    allowed: [
      'ServerANotReady page',
      'ServerAPublishFailures warn',
      'RabbitMQNearAlarm warn',
      'ServerASlowAnswers page',
      'ServerAConfirmLatency warn',
    ],
  },
  {
    title: 'refused: the broker takes no message into the outbound queue',
    begin: async (stack) => {
      // What a consumer takes at once does not lie in the queue.
      await stack.stopConsumer();
      await refuseMessages(stack, 'refuse-messages', '^sms.outbound$');
      return async () => {
        await stack.rabbitmq.ctl('clear_policy', 'refuse-messages');
        await stack.startConsumer();
      };
    },
    expected: { 'ServerAPublishFailures warn': 150, 'ServerAErrorBudget page': 150 },
    allowed: ['QueueWithoutConsumer page'],
  },
  {
    title: 'nearly: the disk of the broker fills up',
    begin: async (stack) => {
      const status: unknown = JSON.parse(await stack.rabbitmq.ctl('status', '--formatter', 'json'));
      const free = Number(Object(status).disk_free);
      await stack.rabbitmq.ctl('set_disk_free_limit', String(Math.round(free / 1.5)));
      return async () => void (await stack.rabbitmq.ctl('set_disk_free_limit', '1MB'));
    },
    expected: { 'RabbitMQNearAlarm warn': 90 },
  },
  {
    title: 'redis: it is stopped',
    begin: async (stack) => {
      await stack.redis.stop();
      return () => stack.redis.start();
    },
    expected: { 'ServerANotReady page': 50, 'MetricsMissing warn': 220 },
    allowed: ['ServerAErrorBudget page'],
  },
  {
    title: 'hangs: Redis answers nothing, and its connections stand',
    begin: async (stack) => {
      stack.redis.freeze();
      return async () => stack.redis.resume();
    },
    expected: { 'ServerANotReady page': 60 },
    allowed: OF_LOST_SERVICES,
  },
  {
    title: 'killed: the broker is gone, and comes back',
    begin: async (stack) => {
      await stack.stopConsumer();
      await stack.rabbitmq.kill();
      return async () => {
        await stack.rabbitmq.start();
        await stack.startConsumer();
      };
    },
    expected: { 'ServerANotReady page': 50, 'MetricsMissing warn': 220 },
    allowed: OF_LOST_SERVICES,
  },
  {
    title: 'stuck: the broker answers nothing, and its connections stand',
    begin: async (stack) => {
      await stack.stopConsumer();
      stack.rabbitmq.freeze();
      return async () => {
        stack.rabbitmq.resume();
        await stack.startConsumer();
      };
    },
    expected: { 'ServerANotReady page': 70 },
    allowed: OF_LOST_SERVICES,
  },
  {
    title: 'full: Redis comes near its limit, and then refuses writes',
    begin: async (stack) => {
      // So much that the load's own records do not matter.
      await stack.redisAdmin.setrange('drill:ballast', 100_000_000, 'x');
      const used = Number(/used_memory:(\d+)/.exec(await stack.redisAdmin.info('memory'))?.[1]);
      await stack.redisAdmin.config('SET', 'maxmemory', String(Math.round(used * 1.15)));
      await pause(75_000);
      await stack.redisAdmin.config('SET', 'maxmemory', '1000');
      return async () => {
        await stack.redisAdmin.config('SET', 'maxmemory', '0');
        await stack.redisAdmin.del('drill:ballast');
      };
    },
    expected: { 'RedisMemory warn': 90, 'RedisRefusesWrites page': 130, 'RedisMemory page': 180 },
    allowed: ['ServerAErrorBudget page', 'ServerASlowAnswers page'],
  },
  {
    title: 'deleted: somebody deletes the outbound queue while messages wait in it',
    begin: async (stack) => {
      await stack.stopConsumer();
      await pause(20_000);
      await stack.rabbitmq.ctl('delete_queue', 'sms.outbound');
      return () => stack.startConsumer();
    },
    expected: { 'QueueDeleted page': 45 },
    allowed: ['ServerAPublishFailures warn', 'QueueWithoutConsumer page'],
  },
  {
    title: 'certificates: that of the broker ends in ten days, that of a replica within one',
    begin: async (stack) => {
      const broker = await encryptBroker(join(stack.folder, 'certificates'), 10);
      const replica = await stack.startReplica(broker.variables);
      return async () => {
        await stack.endReplica(replica, 'SIGTERM');
        broker.stop();
      };
    },
    expected: { 'ServerACertificateEnds warn': 120, 'ServerACertificateEnds page': 120 },
  },
];
