/**
 * A cluster whose nodes say what no real one says on command.
 *
 * Over 250 lines: a list, one test for each thing that a node may say.
 */
import test, { type ExecutionContext } from 'ava';
import type { RefreshPause } from '../../../src/redis/cluster-links.js';
import { connectRedisCluster } from '../../../src/redis/connect-cluster.js';
import { NotRun } from '../../../src/redis/routes.js';
import { slotOf } from '../../../src/redis/slots.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { type FakeRedis, type FakeReply, startFakeRedis } from '../../support/fake-redis.js';
import { logInto } from '../../support/log-into.js';
import { waitFor } from '../../support/wait-for.js';

const SLOTS = 16_384;

/** Has the gateway ask often where the slots are. */
const SOON: RefreshPause = { least: 5, chance: 5 };

/** Answers CLUSTER SLOTS: all slots belong to the first of these nodes, and the others are its replicas. */
const allAt = (...nodes: readonly FakeRedis[]): FakeReply => [
  [0, SLOTS - 1, ...nodes.map(({ port }) => ['127.0.0.1', port, `id-${port}`])],
];

/** Answers CLUSTER SLOTS: each of two masters has a half. */
const halves = (one: FakeRedis, other: FakeRedis): FakeReply => [
  [0, SLOTS / 2 - 1, ['127.0.0.1', one.port, 'id-1']],
  [SLOTS / 2, SLOTS - 1, ['127.0.0.1', other.port, 'id-2']],
];

/** Starts nodes that answer by the function's present return value, and a connection to the first. */
async function clusterOf(t: ExecutionContext, count: number, timeoutMs = 500) {
  let answer = (_command: string, _port: number): FakeReply | null | undefined => undefined;
  const nodes: FakeRedis[] = [];
  for (let index = 0; index < count; index += 1) {
    const node = await startFakeRedis((command, port) => answer(command, port));
    t.teardown(() => node.close());
    nodes.push(node);
  }
  return {
    nodes,
    answers: (next: typeof answer) => {
      answer = next;
    },
    connect: (seed: FakeRedis, refreshMs?: RefreshPause) => {
      const { log, lines } = logInto('info');
      const links = connectRedisCluster(`redis://${seed.address}`, {}, timeoutMs, log, refreshMs);
      t.teardown(() => links.close());
      return { links, lines };
    },
  };
}

const asked = (node: FakeRedis | undefined): number =>
  node?.commands.filter((command) => command === 'CLUSTER SLOTS').length ?? 0;

/** Sends a command to the master of a key, as a request would. */
async function send(links: ReturnType<typeof connectRedisCluster>): Promise<unknown> {
  const { link } = links.routeOf('key');
  return link.call(
    (client) => client.set('key', '1', 'PX', 1000),
    (reply) => reply,
  );
}

/** Stops the monotonic clock of this process until the test ends; sets it further by milliseconds. */
function stopClock(t: ExecutionContext): (ms: number) => void {
  const { now } = performance;
  let stoppedAt = now.call(performance);
  performance.now = () => stoppedAt;
  t.teardown(() => {
    performance.now = now;
  });
  return (ms) => {
    stoppedAt += ms;
  };
}

test('redis cluster: a node that was reset names no slots -> not believed; the connections to all others stand', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [master, replica] = nodes;
  if (master === undefined || replica === undefined) throw new Error('no nodes');
  let isReset = false;
  answers((command, port) => {
    // Has the gateway ask again and again which slots are where.
    if (command.startsWith('SET ')) return new Error(`MOVED 12539 ${master.address}`);
    if (command !== 'CLUSTER SLOTS') return undefined;
    return isReset && port === replica.port ? [] : allAt(master, replica);
  });
  const { links, lines } = connect(master, SOON);
  await waitFor('a connection', () => links.usable && links.routeOf('key'));
  const { link } = links.routeOf('key');
  isReset = true;
  const before = asked(replica);
  await waitFor(
    'questions to the node that was reset',
    async () => {
      await t.throwsAsync(send(links), { instanceOf: NotRun });
      t.is(links.routeOf('key').link, link);
      return asked(replica) > before + 2;
    },
    { withinMs: 60_000, everyMs: 5 },
  );
  t.true(links.usable);
  t.false(lines.some(({ message }) => message === 'redis.closed'));
});

test('redis cluster: a slot moves to a master that joined just now -> waited for, and never told that it is away', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [old, joined] = nodes;
  if (old === undefined || joined === undefined) throw new Error('no nodes');
  let hasMoved = false;
  answers((command, port) => {
    if (command.startsWith('SET ') && hasMoved && port === old.port)
      return new Error(`MOVED 12539 ${joined.address}`);
    return command === 'CLUSTER SLOTS' ? allAt(hasMoved ? joined : old) : undefined;
  });
  const { links } = connect(old, SOON);
  await waitFor('a connection', () => links.usable && links.routeOf('key'));
  hasMoved = true;
  const answer = await waitFor(
    'the new master',
    async () => {
      try {
        return await send(links);
      } catch (error) {
        t.true(error instanceof NotRun, String(error));
        return undefined;
      }
    },
    { everyMs: 1 },
  );
  t.is(answer, 'OK');
});

test('redis cluster: a slot moves to a node that nobody can reach -> waited for a moment, then refused at once', async (t) => {
  const setFurther = stopClock(t);
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [old, gone] = nodes;
  if (old === undefined || gone === undefined) throw new Error('no nodes');
  let hasMoved = false;
  answers((command) => {
    if (command.startsWith('SET ') && hasMoved) return new Error(`MOVED 12539 ${gone.address}`);
    return command === 'CLUSTER SLOTS' ? [...[allAt(hasMoved ? gone : old)].flat()] : undefined;
  });
  const { links } = connect(old);
  await waitFor('a connection', () => links.usable && links.routeOf('key'));
  await gone.close();
  hasMoved = true;
  const refused = (): Promise<unknown> => send(links).catch((thrown: unknown) => thrown);
  await refused();
  for (const waitedMs of [0, 990]) {
    setFurther(waitedMs);
    t.true((await refused()) instanceof NotRun);
  }
  setFurther(20);
  const error = await refused();
  t.true(error instanceof RedisUnavailable && !(error instanceof NotRun));
});

test('redis cluster: every node is gone, and others come in their place -> found by the addresses that were given', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 3);
  const [seed, old, young] = nodes;
  if (seed === undefined || old === undefined || young === undefined) throw new Error('no nodes');
  let master = old;
  answers((command) => (command === 'CLUSTER SLOTS' ? allAt(master) : undefined));
  const { links } = connect(seed, SOON);
  await waitFor('a connection', () => links.usable && links.routeOf('key'));
  master = young;
  await old.close();
  await waitFor('the new master', async () => (await send(links)) === 'OK');
  t.true(young.open() > 0);
});

test('redis cluster: one of two masters is away -> counters of the other are read, and those of the first are not known', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [here, away] = nodes;
  if (here === undefined || away === undefined) throw new Error('no nodes');
  const half = SLOTS / 2;
  answers((command) => {
    if (command.startsWith('MGET')) return ['4'];
    return command === 'CLUSTER SLOTS' ? halves(here, away) : undefined;
  });
  const { links } = connect(here);
  // Slots 3300 and 12539.
  const [low, high] = ['b', 'key'];
  t.true(slotOf(low) < half && slotOf(high) >= half);
  await waitFor('both', () => links.usable && links.routeOf(low) && links.routeOf(high));
  t.deepEqual(await links.mget([low, high]), ['4', '4']);
  await away.close();
  await waitFor('one is away', () => !links.usable);
  t.deepEqual(await links.mget([high, low]), [undefined, '4']);
  await t.notThrowsAsync(links.checkWrite());
});

test('redis cluster: one of two masters frozen -> readiness is told by the other at once, as a balancer does not wait', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2, 4000);
  const [here, frozen] = nodes;
  if (here === undefined || frozen === undefined) throw new Error('no nodes');
  let isFrozen = false;
  answers((command, port) => {
    if (isFrozen && port === frozen.port) return null;
    return command === 'CLUSTER SLOTS' ? halves(here, frozen) : undefined;
  });
  const { links } = connect(here);
  await waitFor('both', () => links.usable);
  await links.checkWrite();
  isFrozen = true;
  const first = await Promise.race([
    links.checkWrite().then(() => 'ready'),
    // Half of the time that a master has for its answer.
    new Promise((resolve) => setTimeout(resolve, 2000, 'late')),
  ]);
  t.is(first, 'ready');
  // A goodbye to a node that is frozen waits for its time.
  frozen.cut();
});

test('redis cluster: nodes name each other by host name -> reached by name, so that certificates fit', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [old, young] = nodes;
  if (old === undefined || young === undefined) throw new Error('no nodes');
  let hasMoved = false;
  answers((command, port) => {
    if (command.startsWith('SET ') && hasMoved && port === old.port)
      return new Error(`MOVED 12539 localhost:${young.port}`);
    if (command !== 'CLUSTER SLOTS') return undefined;
    return [
      [
        0,
        SLOTS - 1,
        ['localhost', (hasMoved ? young : old).port, 'id-1'],
        ['localhost', (hasMoved ? old : young).port, 'id-2'],
      ],
    ];
  });
  const { links, lines } = connect(old, SOON);
  await waitFor('a connection', () => links.usable && links.routeOf('key'));
  t.true(lines.some(({ message, node }) => message === 'redis.ready' && node === `localhost:${old.port}`));
  hasMoved = true;
  await waitFor('the new master', async () => (await send(links)) === 'OK');
});

test('redis cluster: just started, and one of two masters not connected yet -> not ready before it is, or for some seconds', async (t) => {
  const setFurther = stopClock(t);
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [fast, slow] = nodes;
  if (fast === undefined || slow === undefined) throw new Error('no nodes');
  answers((command, port) => {
    if (command === 'INFO' && port === slow.port) return null;
    return command === 'CLUSTER SLOTS' ? halves(fast, slow) : undefined;
  });
  const { links } = connect(fast);
  await waitFor('the fast one', () => links.routeOf('b'));
  t.throws(() => links.routeOf('key'), { instanceOf: RedisUnavailable });
  for (const waitedMs of [0, 2990]) {
    setFurther(waitedMs);
    await t.throwsAsync(links.checkWrite(), { message: 'not connected' });
  }
  // A master that is away must not keep a gateway from serving the clients of the others.
  setFurther(20);
  await waitFor('readiness', async () => {
    await links.checkWrite();
    return true;
  });
  t.false(links.usable);
  answers((command) => (command === 'CLUSTER SLOTS' ? halves(fast, slow) : undefined));
  slow.cut();
  await waitFor('all', () => links.usable);
  await t.notThrowsAsync(links.checkWrite());
});

test('redis cluster: a master that is away for long, and many requests for its clients -> few questions which slots are where', async (t) => {
  const { nodes, answers, connect } = await clusterOf(t, 2);
  const [here, away] = nodes;
  if (here === undefined || away === undefined) throw new Error('no nodes');
  answers((command) => (command === 'CLUSTER SLOTS' ? halves(here, away) : undefined));
  const { links } = connect(here);
  await waitFor('both', () => links.usable);
  await away.close();
  await waitFor('one is away', () => !links.usable);
  const [before, startedAt] = [asked(here), performance.now()];
  while (performance.now() < startedAt + 700) {
    for (let request = 0; request < 100; request += 1) t.throws(() => links.routeOf('key'));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  t.true(asked(here) - before <= Math.ceil(7 * seconds), `${asked(here) - before} in ${seconds} s`);
});
