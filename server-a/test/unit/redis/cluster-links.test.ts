import test from 'ava';
import { Cluster, Redis } from 'ioredis';
import { ClusterLinks } from '../../../src/redis/cluster-links.js';
import { RedisLink } from '../../../src/redis/link.js';
import { startFakeRedis } from '../../support/fake-redis.js';
import { waitFor } from '../../support/wait-for.js';

test('cluster links: ioredis makes a second connection to a node -> the first is ended, and its end is not taken for that of the second', async (t) => {
  const server = await startFakeRedis(() => undefined);
  t.teardown(() => server.close());
  const cluster = new Cluster([{ host: '127.0.0.1', port: server.port }], { lazyConnect: true });
  const links = new ClusterLinks({
    cluster,
    refreshMs: { least: 150, chance: 150 },
    linkTo: (node) => new RedisLink(node, 500),
  });
  t.teardown(() => links.close());
  let ends = 0;
  const add = (): void => {
    const node = new Redis(server.port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
    // As ioredis's pool, which forgets whatever node has this address by then.
    node.once('end', () => {
      ends += 1;
    });
    cluster.emit('+node', node);
  };
  const made = (): number => server.commands.filter((command) => command === 'INFO').length;
  for (let count = 1; count <= 5; count += 1) {
    add();
    await waitFor('the connection', () => made() === count);
  }
  await waitFor('one connection', () => server.open() === 1);
  t.is(ends, 0);
  cluster.slots = Array.from({ length: 16_384 }, () => [server.address]);
  cluster.emit('refresh');
  await waitFor('a way', () => links.routeOf('key'));
  t.true(links.usable);
});
