/** A Redis Cluster: a link to each of its nodes, and the way from a key to its master. */

import { Cluster, type Redis } from 'ioredis';
import { addressesOf, DEFAULT_PORTS } from '../config/urls.js';
import { KnownProblems } from '../connection/known-problems.js';
import type { TlsOptions } from '../connection/tls-context.js';
import { writeCoalescerOf } from '../connection/write-coalescer.js';
import type { Log } from '../logging/log.js';
import { ClusterLinks, type RefreshPause } from './cluster-links.js';
import { connectorWith } from './connector.js';
import { RedisLink } from './link.js';
import { logEvents } from './log-events.js';
import { believeMembersOnly } from './members-only.js';
import { connectionOptions, loginOf, retryDelayMs } from './options.js';
import { defineScripts, loadScripts } from './script-files.js';
import { endWhenSilent } from './silence-watch.js';

/** Milliseconds between two questions where the slots are, when nothing else asks: this is how new replicas are found. */
const SLOTS_INTERVAL_MS = 10_000;
/** Milliseconds for a node's answer to the question where the slots are. */
const SLOTS_TIMEOUT_MS = 700;

/**
 * Milliseconds before the cluster is asked where its slots are, after a redirection and while a slot has no master that
 * answers. Only one question is under way at a time, so that gateways that lose a master together do not storm the others.
 */
const REFRESH_MS: RefreshPause = { least: 150, chance: 150 };

/**
 * Connects to a cluster, in the background and for ever.
 *
 * ioredis's client finds the nodes and knows the slots. Commands are not sent through it but to the node of their key: when
 * a node dies, the client sends its unanswered commands again (`retryDelayOnFailover`), and a script that may have run must
 * not run again. So every node has a link of its own, with its own clock, silence and writes.
 *
 * @param urls REDIS_URL: some of the nodes; user and password of the first hold for all
 * @param timeoutMs milliseconds that a call waits for its reply
 * @param refreshMs the pause before the cluster is asked where its slots are; production has the default
 */
export function connectRedisCluster(
  urls: string,
  tls: TlsOptions,
  timeoutMs: number,
  log: Log,
  refreshMs = REFRESH_MS,
): ClusterLinks {
  const cluster = new Cluster(addressesOf(urls, DEFAULT_PORTS.redis), {
    redisOptions: {
      ...connectionOptions(urls, tls),
      ...loginOf(urls),
      // Tells a server by which name it is called, so that it shows the right certificate.
      Connector: connectorWith(() => {}),
    },
    enableOfflineQueue: false,
    // A cluster that does not serve all slots is still used for those that it serves.
    enableReadyCheck: false,
    slotsRefreshTimeout: SLOTS_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_INTERVAL_MS,
    clusterRetryStrategy: retryDelayMs,
    // Names are not turned into addresses: certificates are made out to names.
    dnsLookup: (address, callback) => callback(null, address),
  });
  const problems = new KnownProblems();
  const links = new ClusterLinks({
    cluster,
    refreshMs,
    linkTo: (node, translate) => {
      defineScripts(node);
      endWhenSilent(node);
      believeMembersOnly(node);
      // A script that is sent with ASKING must be loaded already: ioredis sends the text of a missing one without ASKING.
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
