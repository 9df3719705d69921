import type { RedisCluster, RedisClusterNode } from './redis-cluster.js';

/** Keys that move in one command. */
const KEYS_AT_ONCE = 100;

/**
 * Moves a slot to another master, as `redis-cli --cluster reshard` does.
 *
 * @param onTheWay is done while the slot is on its way, before its first key moves
 */
export async function moveSlot(
  cluster: RedisCluster,
  slot: number,
  from: RedisClusterNode,
  to: RedisClusterNode,
  onTheWay?: () => Promise<void>,
): Promise<void> {
  const setSlot = (node: RedisClusterNode, ...how: string[]): Promise<unknown> =>
    node.admin.call('CLUSTER', 'SETSLOT', String(slot), ...how);
  const [source, target] = await Promise.all(
    [from, to].map(({ admin }) => admin.call('CLUSTER', 'MYID').then(String)),
  );
  await setSlot(to, 'IMPORTING', source ?? '');
  await setSlot(from, 'MIGRATING', target ?? '');
  await onTheWay?.();
  for (;;) {
    const keys: unknown = await from.admin.call(
      'CLUSTER',
      'GETKEYSINSLOT',
      String(slot),
      String(KEYS_AT_ONCE),
    );
    if (!Array.isArray(keys) || keys.length === 0) break;
    await from.admin.call(
      'MIGRATE',
      '127.0.0.1',
      String(to.port),
      '',
      '0',
      '5000',
      'KEYS',
      ...keys.map(String),
    );
  }
  await setSlot(to, 'NODE', target ?? '');
  await setSlot(from, 'NODE', target ?? '');
  // As redis-cli does; the others would hear of it by gossip.
  for (const node of cluster.nodes) {
    if (node !== to && node !== from && node.pid !== undefined)
      await setSlot(node, 'NODE', target ?? '').catch(() => {});
  }
  await untilEpochIsKnown(cluster, to, target ?? '');
}

/**
 * Waits until every node knows the epoch with which a node claims its slots. Moves in both directions within
 * milliseconds can otherwise leave two nodes each naming the other as owner: a node that missed the first epoch believes
 * the old owner, if that has a newer one by then.
 */
async function untilEpochIsKnown(cluster: RedisCluster, of: RedisClusterNode, id: string): Promise<void> {
  const epoch = /cluster_my_epoch:(\d+)/.exec(String(await of.admin.cluster('INFO')))?.[1];
  for (const node of cluster.nodes) {
    while (node.pid !== undefined) {
      const line = String(await node.admin.cluster('NODES'))
        .split('\n')
        .find((text) => text.startsWith(id));
      if (Number(line?.split(' ')[6]) >= Number(epoch)) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
