import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { findFreePort, startOnPort } from './free-port.js';
import type { ManagedServer } from './managed-server.js';
import {
  type PreparedRabbitMq,
  prepareRabbitMq,
  RABBITMQ_NODE_NAME,
  rabbitMqScript,
} from './rabbitmq-environment.js';
import { ServiceProcess } from './service-process.js';

/** What kind of RabbitMQ to start. */
export interface RabbitMqServerOptions {
  /** Directory for its log, configuration and data; made if missing, never removed. One broker at a time. */
  readonly dataDir: string;
  /** AMQP port. Default: any free port. */
  readonly port?: number;
  /** More lines of `rabbitmq.conf`, for instance a TLS listener. */
  readonly extraConfig?: readonly string[];
  /** Plugins to enable, such as `rabbitmq_prometheus`; each makes the start slower. Default: none. */
  readonly plugins?: readonly string[];
}

/** A private RabbitMQ node, and its administration. */
export interface RabbitMqServer extends ManagedServer {
  /** The Erlang node's name. */
  readonly nodeName: string;
  /**
   * Ends it at once with SIGKILL, as a crash would. Queues must be a second old by then: RabbitMQ 3.10 syncs its
   * registry of quorum queues late, and a newer queue would answer nobody after the restart.
   */
  kill(): Promise<void>;
  /** Path of a script that runs `rabbitmqctl` on this node from any environment. */
  readonly ctlPath: string;
  /**
   * Runs `rabbitmqctl`, quietly, against this node; takes up to a second.
   * @returns its stdout.
   * @throws Error with its stderr when it fails or takes longer than 30 s.
   */
  ctl(...args: string[]): Promise<string>;
}

// A cold start takes about 4 s; a busy machine with several of them has been seen to need 20.
const READY_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 30_000;
const PROBE_TIMEOUT_MS = 2_000;
const CTL_TIMEOUT_MS = 30_000;

/**
 * Starts a private RabbitMQ on 127.0.0.1 (user guest) with a port mapper of its own, and resolves
 * when a client can log in. Works as root and as any other user.
 * @throws Error with the end of the broker's log when it does not start, when RabbitMQ is not installed, or
 *   when the port asked for is in use.
 */
export async function startRabbitMqServer({
  dataDir,
  port,
  extraConfig = [],
  plugins = [],
}: RabbitMqServerOptions): Promise<RabbitMqServer> {
  // Erlang changes its working directory, so a relative path would mean another place.
  const directory = resolve(dataDir);
  await mkdir(directory, { recursive: true });
  const command = await rabbitMqScript('rabbitmq-server');
  return startOnPort(port, async (amqp) => {
    const ports = { amqp, distribution: await findFreePort(), portMapper: await findFreePort() };
    const prepared = await prepareRabbitMq(directory, ports, { extraConfig, plugins });
    const portMapper = portMapperProcess(ports.portMapper, directory);
    const broker = brokerProcess(command, amqp, directory, prepared);
    const server = new Broker(amqp, broker, prepared.ctlPath, RABBITMQ_NODE_NAME, portMapper);
    await server.start();
    return server;
  });
}

/** Erlang's port mapper, by which nodes and rabbitmqctl find each other's ports. */
export function portMapperProcess(port: number, directory: string): ServiceProcess {
  return new ServiceProcess({
    name: "Erlang's port mapper",
    port,
    command: 'epmd',
    args: ['-address', '127.0.0.1', '-port', String(port)],
    env: process.env,
    logFile: join(directory, 'epmd.log'),
    probe: () => acceptsConnections(port),
    readyWithinMs: READY_WITHIN_MS,
    stopWithinMs: STOP_WITHIN_MS,
  });
}

/** One node's process; ready when a client can log in. @param command path of `rabbitmq-server` */
export function brokerProcess(
  command: string,
  port: number,
  directory: string,
  { env }: PreparedRabbitMq,
): ServiceProcess {
  return new ServiceProcess({
    name: 'RabbitMQ',
    port,
    command,
    args: [],
    env: { ...process.env, ...env },
    logFile: join(directory, 'rabbitmq.log'),
    probe: () => acceptsLogin(urlOf(port)),
    readyWithinMs: READY_WITHIN_MS,
    stopWithinMs: STOP_WITHIN_MS,
  });
}

const urlOf = (port: number): string => `amqp://guest:guest@127.0.0.1:${port}/`;

/** A node, with its port mapper unless that is somebody else's to start and end. */
export class Broker implements RabbitMqServer {
  readonly url: string;

  constructor(
    readonly port: number,
    private readonly broker: ServiceProcess,
    readonly ctlPath: string,
    readonly nodeName: string,
    private readonly portMapper?: ServiceProcess,
  ) {
    this.url = urlOf(port);
  }

  get pid(): number | undefined {
    return this.broker.pid;
  }

  async start(): Promise<void> {
    await this.portMapper?.start();
    try {
      await this.broker.start();
    } catch (error) {
      await this.portMapper?.kill();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.broker.stop();
    await this.portMapper?.kill();
  }

  async kill(): Promise<void> {
    await Promise.all([this.broker.kill(), this.portMapper?.kill()]);
  }

  freeze(): void {
    this.broker.freeze();
  }

  resume(): void {
    this.broker.resume();
  }

  async ctl(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.ctlPath, ['--quiet', ...args], {
      timeout: CTL_TIMEOUT_MS,
    });
    return stdout;
  }
}

function acceptsConnections(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

/**
 * Resolves when a client can log in. A broker takes connections before it can serve them, so only a whole
 * handshake tells.
 * @throws Error otherwise.
 */
export async function acceptsLogin(url: string): Promise<void> {
  const connection = await connect(url, { timeout: PROBE_TIMEOUT_MS });
  connection.on('error', () => undefined);
  await connection.close();
}
