import test from 'ava';
import { nodesOf, type RabbitMqNode, tryingOrder } from '../../../src/rabbitmq/nodes.js';
import { pauseMs, stayConnected } from '../../../src/rabbitmq/stay-connected.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const NODES = nodesOf('amqp://r1,amqp://r2:5673/,amqps://r3');

/** Nodes that are up or down, and connections to them that can be ended. */
function cluster(down: ReadonlySet<string> = new Set()) {
  const closing = new AbortController();
  const tried: string[] = [];
  const ended: string[] = [];
  let end = (): void => {};
  const done = stayConnected({
    nodes: NODES,
    connect: async (node) => {
      tried.push(node.name);
      if (down.has(node.name)) throw new Error('away');
      return {
        node,
        ended: new Promise((resolve) => {
          end = () => resolve(undefined);
        }),
      };
    },
    failed: () => {},
    ended: ({ name }) => ended.push(name),
    closing: closing.signal,
  });
  return {
    tried,
    ended,
    end: () => end(),
    stop: async () => {
      closing.abort();
      end();
      await done;
    },
  };
}

const names = (nodes: readonly RabbitMqNode[]): string[] => nodes.map(({ name }) => name);

test('nodes: ports left out, and one node twice -> ports of AMQP, and each node once', (t) => {
  t.deepEqual(names(NODES), ['r1:5672', 'r2:5673', 'r3:5671']);
  t.deepEqual(names(nodesOf('amqp://a@r1/,amqp://b@r1:5672/')), ['r1:5672']);
});

test('tryingOrder: many gateways -> each node is the first for about as many', (t) => {
  const firsts = new Map<string | undefined, number>();
  for (let gateway = 0; gateway < 3000; gateway += 1) {
    const name = tryingOrder(NODES, undefined)[0]?.name;
    firsts.set(name, (firsts.get(name) ?? 0) + 1);
  }
  t.is(firsts.size, 3);
  for (const count of firsts.values()) t.true(count > 800 && count < 1200, `${count} of 3000`);
});

test('tryingOrder: a node that was left -> it comes last', (t) => {
  for (let round = 0; round < 100; round += 1) t.is(tryingOrder(NODES, NODES[1])[2], NODES[1]);
});

test('stayConnected: two of three nodes away -> the third is found in one round, without a pause', async (t) => {
  useVirtualClock(t);
  const { tried, stop } = cluster(new Set(['r1:5672', 'r3:5671']));
  const startedAt = performance.now();
  await waitFor('the node that is up', () => tried.includes('r2:5673'));
  t.true(performance.now() - startedAt < 80);
  t.is(new Set(tried).size, tried.length);
  await stop();
});

test('stayConnected: a connection ends -> another node is next', async (t) => {
  useVirtualClock(t);
  const { tried, ended, end, stop } = cluster();
  await waitFor('a connection', () => tried.length === 1);
  end();
  await waitFor('the next', () => tried.length === 2);
  t.deepEqual(ended, tried.slice(0, 1));
  t.not(tried[1], tried[0]);
  await stop();
});

test('stayConnected: all nodes away -> each once a round, and a pause between rounds', async (t) => {
  useVirtualClock(t);
  const { tried, stop } = cluster(new Set(names(NODES)));
  const startedAt = performance.now();
  await waitFor('three rounds', () => tried.length >= 9);
  // The least pauses of the first two rounds.
  t.true(performance.now() - startedAt >= 50 + 100 - 5);
  for (const round of [0, 3, 6]) t.is(new Set(tried.slice(round, round + 3)).size, 3);
  await stop();
});

test('stayConnected: told to stop during a pause -> it ends at once, and tries no more', async (t) => {
  useVirtualClock(t);
  const { tried, stop } = cluster(new Set(names(NODES)));
  await waitFor('a round', () => tried.length >= 3);
  const startedAt = performance.now();
  await stop();
  t.true(performance.now() - startedAt < 50);
});

test('pauseMs: failure after failure -> grows to 2 s at the most, with chance in it', (t) => {
  const least = () => 0.999_999;
  const most = () => 0;
  t.deepEqual(
    [1, 2, 3, 5, 6, 60].map((failures) => pauseMs(failures, most)),
    [100, 200, 400, 1600, 2000, 2000],
  );
  t.true(pauseMs(60, least) < 1001);
  t.true(pauseMs(1, least) < 51);
});
