/** A Redis Cluster: a link to each of its nodes, and the way from a key to its master. */

import { Cluster, type Redis } from 'ioredis';
import { addressesOf, DEFAULT_PORTS } from '../config/urls.js';
import { KnownProblems } from '../connection/known-problems.js';
import type { TlsOptions } from '../connection/tls-context.js';
import { writeCoalescerOf } from '../connection/write-coalescer.js';
import type { Log } from '../logging/log.js';
import { ClusterLinks } from './cluster-links.js';
import { connectorWith } from './connector.js';
import { RedisLink } from './link.js';
import { logEvents } from './log-events.js';
import { believeMembersOnly } from './members-only.js';
import { connectionOptions, loginOf, retryDelayMs } from './options.js';
import { defineScripts, loadScripts } from './script-files.js';
import { endWhenSilent } from './silence-watch.js';

/** Milliseconds between two questions which slots are where, when nothing else asks: new replicas are found by it. */
const SLOTS_INTERVAL_MS = 10_000;
/** Milliseconds for a node's answer to the question which slots are where. */
const SLOTS_TIMEOUT_MS = 700;

/**
 * Connects to a cluster, in the background and for ever.
 *
 * ioredis's client finds the nodes and knows the slots. Commands are not sent through it but to the node of their key:
 * the client would send again, unasked, what was on its way when a node died (`retryDelayOnFailover`), and a script that
 * may have run must not run again. So every node has a link of its own, with its own clock, silence and writes.
 *
 * @param urls REDIS_URL: some of the nodes; user and password of the first hold for all
 * @param timeoutMs milliseconds that a call waits for its reply
 */
export function connectRedisCluster(
  urls: string,
  tls: TlsOptions,
  timeoutMs: number,
  log: Log,
): ClusterLinks {
  const cluster = new Cluster(addressesOf(urls, DEFAULT_PORTS.redis), {
    redisOptions: {
      ...connectionOptions(urls, tls),
      ...loginOf(urls),
      // Asks servers for the certificate of their name.
      Connector: connectorWith(() => {}),
    },
    enableOfflineQueue: false,
    // A cluster that does not serve all slots serves some.
    enableReadyCheck: false,
    slotsRefreshTimeout: SLOTS_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_INTERVAL_MS,
    clusterRetryStrategy: retryDelayMs,
    // Names stay names: certificates are for them.
    dnsLookup: (address, callback) => callback(null, address),
  });
  const problems = new KnownProblems();
  const links = new ClusterLinks({
    cluster,
    linkTo: (node, translate) => {
      defineScripts(node);
      endWhenSilent(node);
      believeMembersOnly(node);
      // A script that is sent with ASKING must be there already: sent anew with its text, it would come without ASKING.
      node.on('ready', () => void loadScripts(node).catch(() => {}));
      logEvents(node, urls, log, () => links.closing, problems);
      return new RedisLink(node, timeoutMs, writeCoalescerOf(node), translate);
    },
  });
  cluster.on('error', (err: Error) => {
    if (problems.isNew(err)) log.error({ err }, 'redis.error');
  });
  cluster.on('ready', () => log.info({ masters: mastersOf(cluster) }, 'redis.cluster_ready'));
  return links;
}

function mastersOf(cluster: Cluster): string[] {
  return cluster.nodes('master').map(({ options: { host, port } }: Redis) => `${host}:${port}`);
}
