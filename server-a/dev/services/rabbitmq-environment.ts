import { constants } from 'node:fs';
import { access, chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Ports of one private broker, all on 127.0.0.1. */
export interface RabbitMqPorts {
  readonly amqp: number;
  /** Erlang distribution: how rabbitmqctl talks to the node. */
  readonly distribution: number;
  /** Erlang's port mapper, private to this broker. */
  readonly portMapper: number;
}

/** The name of a node that is alone: the data directory depends on it, so it is the same for every broker and port. */
export const RABBITMQ_NODE_NAME = 'gateway@localhost';

/**
 * Where Debian's package and RabbitMQ's own package keep the plain scripts. The commands on PATH are wrappers
 * that insist on root or the `rabbitmq` user, and on the system-wide data directory.
 */
const PACKAGED_SCRIPTS = '/usr/lib/rabbitmq/bin';

/**
 * Finds one of RabbitMQ's plain scripts.
 * @param name such as `rabbitmq-server` or `rabbitmqctl`.
 * @throws Error when RabbitMQ is not installed.
 */
export async function rabbitMqScript(name: string): Promise<string> {
  const directories = [PACKAGED_SCRIPTS, ...(process.env['PATH'] ?? '').split(delimiter)];
  for (const directory of directories.filter((entry) => entry !== '')) {
    const path = join(directory, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  throw new Error(`${name} is not installed (looked in ${PACKAGED_SCRIPTS} and on PATH).`);
}

/** Environment of a private broker, and the command that administers it. */
export interface PreparedRabbitMq {
  /** What `rabbitmq-server` needs beside PATH; nothing in it comes from the system-wide configuration. */
  readonly env: Readonly<Record<string, string>>;
  /** Path of a script that runs `rabbitmqctl` on this broker from any environment. */
  readonly ctlPath: string;
}

/**
 * Writes the configuration of a private broker into `dataDir`: listens on 127.0.0.1 only, and does not raise an
 * alarm on a small disk.
 * @param dataDir absolute path.
 * @param more `extraConfig`: more lines of `rabbitmq.conf`; `plugins`: what to enable (none = the fastest start);
 *   `nodeName`: the Erlang node's name; nodes of one cluster share a port mapper, and differ in this.
 * @throws Error when RabbitMQ is not installed.
 */
export async function prepareRabbitMq(
  dataDir: string,
  ports: RabbitMqPorts,
  {
    extraConfig = [],
    plugins = [],
    nodeName = RABBITMQ_NODE_NAME,
  }: {
    readonly extraConfig?: readonly string[];
    readonly plugins?: readonly string[];
    readonly nodeName?: string;
  } = {},
): Promise<PreparedRabbitMq> {
  const env = brokerEnvironment(dataDir, ports, nodeName);
  const ctlPath = join(dataDir, 'rabbitmqctl');
  const ctl = await rabbitMqScript('rabbitmqctl');
  const assignments = Object.entries(env).map(([name, value]) => shellQuote(`${name}=${value}`));
  await mkdir(join(dataDir, 'home'), { recursive: true });
  await Promise.all([
    // Erlang refuses a cookie that others can read.
    writeFile(join(dataDir, 'home', '.erlang.cookie'), 'private-development-broker', {
      mode: 0o400,
      flag: 'wx',
    }).catch(ignoreExisting),
    writeFile(join(dataDir, 'enabled_plugins'), `[${plugins.join(',')}].\n`),
    writeFile(
      join(dataDir, 'rabbitmq.conf'),
      [
        `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
        'disk_free_limit.absolute = 1MB',
        ...extraConfig,
        '',
      ].join('\n'),
    ),
    writeFile(ctlPath, `#!/bin/sh\nexec env ${assignments.join(' ')} ${shellQuote(ctl)} "$@"\n`),
  ]);
  await chmod(ctlPath, 0o755);
  return { env, ctlPath };
}

function brokerEnvironment(dataDir: string, ports: RabbitMqPorts, nodeName: string): Record<string, string> {
  const localOnly = '-kernel inet_dist_use_interface {127,0,0,1}';
  return {
    HOME: join(dataDir, 'home'),
    ERL_EPMD_PORT: String(ports.portMapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_CONFIG_FILE: join(dataDir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dataDir, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(dataDir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dataDir, 'log'),
    RABBITMQ_LOGS: '-',
    // Keeps the scripts from reading /etc/rabbitmq/rabbitmq-env.conf.
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    // The port mapper is a child of ours: one started by Erlang would be a daemon that nobody ends.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${localOnly} -start_epmd false`,
    RABBITMQ_CTL_ERL_ARGS: `${localOnly} -start_epmd false`,
    // Makes the script become the server instead of its parent, so that a signal reaches the right process.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
