import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findFreePort } from './free-port.js';
import { prepareRabbitMq, rabbitMqScript } from './rabbitmq-environment.js';
import { Broker, brokerProcess, portMapperProcess, type RabbitMqServer } from './rabbitmq-server.js';

/** What kind of cluster to start. */
export interface RabbitMqClusterOptions {
  /** Directory for logs, configuration and data of all nodes; made if missing, never removed. */
  readonly dataDir: string;
  /** Default: three. */
  readonly nodes?: number;
  /** More lines of each node's `rabbitmq.conf`. */
  readonly extraConfig?: readonly string[];
}

/** Private RabbitMQ nodes that are one cluster. */
export interface RabbitMqCluster {
  readonly nodes: readonly RabbitMqServer[];
  /** Value of RABBITMQ_URL: all nodes. */
  readonly url: string;
  /** Ends all nodes at once. */
  kill(): Promise<void>;
}

/**
 * Seconds after which nodes count a silent one as gone (Erlang's net_ticktime): the usual minute would keep a frozen
 * node in the cluster for longer than an experiment lasts.
 */
const NET_TICK_SECONDS = 8;

/**
 * Starts RabbitMQ nodes on 127.0.0.1 that form one cluster, and resolves when all have joined it. A node on the smaller
 * side of a partition stops serving (`pause_minority`).
 *
 * @throws Error as startRabbitMqServer does, or when a node has not joined
 */
export async function startRabbitMqCluster({
  dataDir,
  nodes: count = 3,
  extraConfig = [],
}: RabbitMqClusterOptions): Promise<RabbitMqCluster> {
  const directory = resolve(dataDir);
  await mkdir(directory, { recursive: true });
  const command = await rabbitMqScript('rabbitmq-server');
  const portMapperPort = await findFreePort();
  const portMapper = portMapperProcess(portMapperPort, directory);
  const names = Array.from({ length: count }, (_, index) => `gateway${index + 1}@localhost`);
  const config = [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`),
    'cluster_partition_handling = pause_minority',
    `cluster_keepalive_interval = 2000`,
    ...extraConfig,
  ];
  const nodes = await Promise.all(
    names.map(async (name) => {
      const nodeDir = join(directory, name.replace(/@.*/, ''));
      await mkdir(nodeDir, { recursive: true });
      const ports = {
        amqp: await findFreePort(),
        distribution: await findFreePort(),
        portMapper: portMapperPort,
      };
      const prepared = await prepareRabbitMq(nodeDir, ports, { extraConfig: config, nodeName: name });
      const env = {
        ...prepared.env,
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${prepared.env['RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS'] ?? ''} -kernel net_ticktime ${NET_TICK_SECONDS}`,
      };
      return new Broker(
        ports.amqp,
        brokerProcess(command, ports.amqp, nodeDir, { ...prepared, env }),
        prepared.ctlPath,
        name,
      );
    }),
  );
  const kill = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()));
    await portMapper.kill();
  };
  await portMapper.start();
  try {
    await Promise.all(nodes.map((node) => node.start()));
    await untilJoined(nodes);
  } catch (error) {
    await kill();
    throw error;
  }
  return { nodes, url: nodes.map(({ url }) => url).join(','), kill };
}

/** A node serves before the others have joined it, and a queue declared then has fewer members. */
async function untilJoined(nodes: readonly RabbitMqServer[]): Promise<void> {
  const [first] = nodes;
  const wanted = nodes.map(({ nodeName }) => nodeName);
  for (let attempt = 1; ; attempt += 1) {
    const status: { readonly running_nodes?: readonly string[] } = JSON.parse(
      (await first?.ctl('cluster_status', '--formatter', 'json')) ?? '{}',
    );
    if (wanted.every((name) => status.running_nodes?.includes(name))) return;
    if (attempt === 30) throw new Error(`Nodes have not joined the cluster: ${JSON.stringify(status)}`);
  }
}
