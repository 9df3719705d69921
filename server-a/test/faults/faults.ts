/**
 * The faults: how each is made, and how it heals.
 *
 * Over 250 lines: a list, ten lines for each fault.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'amqplib';
import type { World } from './world.js';

/** A fault. */
export interface Fault {
  readonly name: string;
  /** What it lays hands on; a pair takes one of each. */
  readonly target: 'gateway' | 'rabbitmq' | 'redis' | 'senders';
  /** Gateways behind the senders; default 1. */
  readonly gateways?: 1 | 2;
  /** Makes it. A fault that lasts returns; one that strikes again and again lasts until `signal` is aborted. */
  readonly make: (world: World, signal: AbortSignal) => Promise<void>;
  readonly heal: (world: World) => Promise<void>;
  /** Kills a gateway: units of unkeyed requests in flight at the kill may be lost. */
  readonly killsGateway?: true;
  /** Is made with the senders at rest, which another fault would not let them be: in no pair. */
  readonly onlyAlone?: true;
  /** Milliseconds that the first gateway's wall clock is ahead of the others'. */
  readonly clockAheadMs?: number;
  /** Redis loses data that it had acknowledged: what it counted is no longer what was queued. */
  readonly forgets?: true;
  /** Milliseconds that a gateway is stopped at a time, if longer than answers may take. */
  readonly stopsMs?: number;
  /** Units a day that the keyed client has at the beginning; the default is more than are ever used. */
  readonly keyedQuota?: number;
  /** A gateway does not answer by design (it is being killed or suspended), so its health is not asked. */
  readonly silencesGateway?: true;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const nothing = async (): Promise<void> => {};

async function again(signal: AbortSignal, everyMs: number, strike: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await strike();
    await pause(everyMs);
  }
}

async function killAndRestart({ gateways }: World, signal: AbortSignal): Promise<void> {
  let turn = 0;
  await again(signal, 700, async () => {
    const gateway = gateways[turn++ % gateways.length];
    await gateway?.end('SIGKILL');
    await gateway?.restart();
  });
}

/** A message over the limit closes the channel it came on (406), and not its connection. */
async function closeChannels({ rabbitmq }: World): Promise<void> {
  await rabbitmq.ctl('eval', 'application:set_env(rabbit, max_message_size, 64).');
  await rabbitmq.ctl('close_all_connections', 'fault');
}

async function deleteQueue(world: World): Promise<void> {
  // Deleted empty: what an operator throws away with a queue, no gateway can keep.
  const [first] = world.senders;
  const quietly = world.senders.slice(1).reduce(
    (work, senders) => () => senders.whileQuiet(work),
    async (): Promise<void> => {
      await world.untilDrained();
      const connection = await connect(world.rabbitmq.url);
      const channel = await connection.createChannel();
      await channel.deleteQueue(world.outboundQueue);
      await connection.close();
    },
  );
  await first?.whileQuiet(quietly);
}

const openSockets = new Set<Socket>();

async function slowClients({ gateways }: World): Promise<void> {
  const port = gateways[0]?.port ?? 0;
  for (let index = 0; index < 500; index += 1) {
    const socket = connectTcp(port, '127.0.0.1', () => {
      if (index % 3 === 1) socket.write('POST /api/v1/sms/send HTTP/1.1\r\nHost: x\r\n');
      if (index % 3 === 2) {
        socket.write(
          'POST /api/v1/sms/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{',
        );
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => openSockets.delete(socket));
    openSockets.add(socket);
  }
}

async function closeSlowClients(): Promise<void> {
  for (const socket of openSockets) socket.destroy();
}

async function garbage({ gateways }: World, signal: AbortSignal): Promise<void> {
  await again(signal, 20, async () => {
    const socket = connectTcp(gateways[0]?.port ?? 0, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(Buffer.from(Array.from({ length: 400 }, () => Math.floor(Math.random() * 256))));
  });
}

async function hangUp({ gateways }: World, signal: AbortSignal): Promise<void> {
  const body = '{"to":"+989121234567","text":"hung up"}';
  await again(signal, 10, async () => {
    const socket = connectTcp(gateways[0]?.port ?? 0, '127.0.0.1', () => {
      socket.write(
        `POST /api/v1/sms/send HTTP/1.1\r\nHost: x\r\nAPI-Key: hang-up-key-000001\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      setTimeout(() => socket.resetAndDestroy(), 2);
    });
    socket.on('error', () => {});
  });
}

async function stall({ gateways }: World, signal: AbortSignal): Promise<void> {
  await again(signal, 500, async () => {
    for (const gateway of gateways) gateway.signal('SIGSTOP');
    await pause(800);
    for (const gateway of gateways) gateway.signal('SIGCONT');
  });
}

/** Longer than any lease of the gateways here: what a stopped gateway does next must do no harm. */
const LONG_STOP_MS = 3500;

async function stopLong({ gateways }: World, signal: AbortSignal): Promise<void> {
  let turn = 0;
  await again(signal, 300, async () => {
    const gateway = gateways[turn++ % gateways.length];
    gateway?.signal('SIGSTOP');
    await pause(LONG_STOP_MS);
    gateway?.signal('SIGCONT');
  });
}

/** Cuts the broker off, and switches the providers off and on while it is away. */
async function switchProviders(world: World, signal: AbortSignal): Promise<void> {
  await world.rabbitmqProxy.refuse();
  await again(signal, 200, async () => {
    await world.configure({ providersOn: false });
    await pause(200);
    await world.configure({ providersOn: true });
  });
}

/** Cuts Redis off, and raises the quota that is used up by then while Redis is away. */
async function raiseQuota(world: World): Promise<void> {
  await world.redisProxy.refuse();
  await world.configure({ keyedQuota: 1_000_000_000 });
}

async function terminateInTurn({ gateways }: World, signal: AbortSignal): Promise<void> {
  let turn = 0;
  await again(signal, 300, async () => {
    const gateway = gateways[turn++ % gateways.length];
    const code = await gateway?.end('SIGTERM');
    if (code !== 0) throw new Error(`a gateway ended with ${code} after SIGTERM`);
    await gateway?.restart();
    await gateway?.untilReady(10_000);
  });
}

/** Every fault, alone. */
export const FAULTS: readonly Fault[] = [
  { name: 'no fault', target: 'senders', make: nothing, heal: nothing },
  {
    name: 'gateway killed -9 again and again',
    target: 'gateway',
    gateways: 2,
    killsGateway: true,
    silencesGateway: true,
    make: killAndRestart,
    heal: nothing,
  },
  {
    name: "a gateway's clock an hour ahead, both killed -9 in turn",
    target: 'gateway',
    gateways: 2,
    clockAheadMs: 3_600_000,
    killsGateway: true,
    silencesGateway: true,
    make: killAndRestart,
    heal: nothing,
  },
  {
    name: 'gateways terminated in turn',
    target: 'gateway',
    gateways: 2,
    silencesGateway: true,
    make: terminateInTurn,
    heal: nothing,
  },
  {
    name: 'event loop stalled 0.8 s',
    target: 'gateway',
    silencesGateway: true,
    make: stall,
    heal: async ({ gateways }) => {
      for (const gateway of gateways) gateway.signal('SIGCONT');
    },
  },
  {
    name: 'gateways stopped for 3.5 s in turn, longer than the lease',
    target: 'gateway',
    gateways: 2,
    silencesGateway: true,
    stopsMs: LONG_STOP_MS,
    make: stopLong,
    heal: async ({ gateways }) => {
      for (const gateway of gateways) gateway.signal('SIGCONT');
    },
  },
  {
    name: 'network to the broker cut, providers switched off and on',
    target: 'rabbitmq',
    make: switchProviders,
    heal: async (world) => {
      await world.configure({ providersOn: true });
      await world.rabbitmqProxy.mend();
    },
  },
  {
    name: 'network to Redis cut, quota used up and raised',
    target: 'redis',
    keyedQuota: 150,
    make: raiseQuota,
    heal: ({ redisProxy }) => redisProxy.mend(),
  },
  {
    name: 'Redis emptied again and again',
    target: 'redis',
    forgets: true,
    make: (world, signal) => again(signal, 300, async () => void (await world.redisAdmin.flushall())),
    heal: nothing,
  },
  {
    name: 'Redis back with an empty disk',
    target: 'redis',
    forgets: true,
    make: ({ redis }) => redis.kill(),
    heal: async ({ redis, emptyRedisDisk }) => {
      await emptyRedisDisk();
      await redis.start();
    },
  },
  {
    name: 'broker application stopped',
    target: 'rabbitmq',
    make: async ({ rabbitmq }) => void (await rabbitmq.ctl('stop_app')),
    heal: async ({ rabbitmq }) => void (await rabbitmq.ctl('start_app')),
  },
  {
    name: 'broker killed -9',
    target: 'rabbitmq',
    make: ({ rabbitmq }) => rabbitmq.kill(),
    heal: ({ rabbitmq }) => rabbitmq.start(),
  },
  {
    name: 'broker frozen',
    target: 'rabbitmq',
    make: async ({ rabbitmq }) => rabbitmq.freeze(),
    heal: async ({ rabbitmq }) => rabbitmq.resume(),
  },
  {
    name: 'broker blocks publishers',
    target: 'rabbitmq',
    make: async ({ rabbitmq }) => void (await rabbitmq.ctl('set_vm_memory_high_watermark', '0.00001')),
    heal: async ({ rabbitmq }) => void (await rabbitmq.ctl('set_vm_memory_high_watermark', '0.6')),
  },
  { name: 'outbound queue deleted', target: 'rabbitmq', onlyAlone: true, make: deleteQueue, heal: nothing },
  {
    name: 'channel closed by the broker',
    target: 'rabbitmq',
    make: closeChannels,
    heal: async ({ rabbitmq }) =>
      void (await rabbitmq.ctl('eval', 'application:set_env(rabbit, max_message_size, 134217728).')),
  },
  {
    name: 'connections closed by an operator',
    target: 'rabbitmq',
    make: (world, signal) =>
      again(signal, 300, async () => void (await world.rabbitmq.ctl('close_all_connections', 'fault'))),
    heal: nothing,
  },
  {
    name: 'network to the broker cut',
    target: 'rabbitmq',
    make: ({ rabbitmqProxy }) => rabbitmqProxy.refuse(),
    heal: ({ rabbitmqProxy }) => rabbitmqProxy.mend(),
  },
  {
    name: 'network to the broker black-holed',
    target: 'rabbitmq',
    make: async ({ rabbitmqProxy }) => rabbitmqProxy.blackHole(),
    heal: ({ rabbitmqProxy }) => rabbitmqProxy.mend(),
  },
  {
    name: 'network to the broker slow (200 ms)',
    target: 'rabbitmq',
    make: async ({ rabbitmqProxy }) => rabbitmqProxy.delay(200),
    heal: ({ rabbitmqProxy }) => rabbitmqProxy.mend(),
  },
  {
    name: 'Redis stopped',
    target: 'redis',
    make: ({ redis }) => redis.stop(),
    heal: ({ redis }) => redis.start(),
  },
  {
    name: 'Redis killed -9',
    target: 'redis',
    make: ({ redis }) => redis.kill(),
    heal: ({ redis }) => redis.start(),
  },
  {
    name: 'Redis frozen',
    target: 'redis',
    make: async ({ redis }) => redis.freeze(),
    heal: async ({ redis }) => redis.resume(),
  },
  {
    name: 'Redis read-only',
    target: 'redis',
    make: async ({ redisAdmin }) => void (await redisAdmin.replicaof('127.0.0.1', 1)),
    heal: async ({ redisAdmin }) => void (await redisAdmin.replicaof('NO', 'ONE')),
  },
  {
    name: 'Redis out of memory',
    target: 'redis',
    make: async ({ redisAdmin }) => void (await redisAdmin.config('SET', 'maxmemory', '1')),
    heal: async ({ redisAdmin }) => void (await redisAdmin.config('SET', 'maxmemory', '0')),
  },
  {
    name: 'Redis scripts flushed',
    target: 'redis',
    make: (world, signal) => again(signal, 20, async () => void (await world.redisAdmin.script('FLUSH'))),
    heal: nothing,
  },
  {
    name: 'network to Redis cut',
    target: 'redis',
    make: ({ redisProxy }) => redisProxy.refuse(),
    heal: ({ redisProxy }) => redisProxy.mend(),
  },
  {
    name: 'network to Redis black-holed',
    target: 'redis',
    make: async ({ redisProxy }) => redisProxy.blackHole(),
    heal: ({ redisProxy }) => redisProxy.mend(),
  },
  {
    name: 'network to Redis slow (200 ms)',
    target: 'redis',
    make: async ({ redisProxy }) => redisProxy.delay(200),
    heal: ({ redisProxy }) => redisProxy.mend(),
  },
  { name: '500 half-open and slow clients', target: 'senders', make: slowClients, heal: closeSlowClients },
  { name: 'garbage bytes on the port', target: 'senders', make: garbage, heal: nothing },
  { name: 'senders that hang up', target: 'senders', make: hangUp, heal: nothing },
];
