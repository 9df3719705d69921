import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { armDeadMansSwitch } from './dead-mans-switch.js';
import { findFreePort } from './free-port.js';
import { acceptsLogin } from './rabbitmq-server.js';
import { answersPing } from './redis-server.js';

/** A server in a Docker container, reachable on 127.0.0.1. */
export interface ContainerServer {
  readonly url: string;
  /** Ends the container in an orderly way; its volume stays. */
  stop(): Promise<void>;
}

interface ContainerDefinition {
  readonly image: string;
  readonly options: readonly string[];
  readonly command: readonly string[];
  readonly containerPort: number;
  /** Folder in the container that a named volume keeps. */
  readonly data: string;
  readonly url: (port: number) => string;
  readonly probe: (port: number) => Promise<void>;
}

const READY_WITHIN_MS = 90_000;
const STOP_WITHIN_S = 30;
const PROBE_INTERVAL_MS = 200;

/**
 * Starts Redis as docker-compose.yml does (append-only file, no eviction), on a free port.
 * @param root folder of the repository: each clone has a container and a volume of its own.
 * @throws Error when Docker cannot run it, or it does not answer.
 */
export function startRedisContainer(root: string): Promise<ContainerServer> {
  return startContainer(root, 'redis', {
    image: 'redis:8-alpine',
    options: [],
    command: ['redis-server', '--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
    containerPort: 6379,
    data: '/data',
    url: (port) => `redis://127.0.0.1:${port}/0`,
    probe: answersPing,
  });
}

/**
 * Starts RabbitMQ as docker-compose.yml does, on a free port.
 * @param root folder of the repository: each clone has a container and a volume of its own.
 * @throws Error when Docker cannot run it, or no client can log in.
 */
export function startRabbitMqContainer(root: string): Promise<ContainerServer> {
  const url = (port: number) => `amqp://guest:guest@127.0.0.1:${port}/`;
  return startContainer(root, 'rabbitmq', {
    image: 'rabbitmq:4-management-alpine',
    // The broker's data belongs to a host name.
    options: ['--hostname', 'rabbitmq'],
    command: [],
    containerPort: 5672,
    data: '/var/lib/rabbitmq',
    url,
    probe: (port) => acceptsLogin(url(port)),
  });
}

async function startContainer(
  root: string,
  service: string,
  definition: ContainerDefinition,
): Promise<ContainerServer> {
  const clone = createHash('sha256').update(root).digest('hex').slice(0, 8);
  const name = `sms-gateway-run-${clone}-${service}`;
  const port = await findFreePort();
  // One that a crash has left behind would keep the name and the volume.
  await docker(['rm', '--force', name]).catch(() => undefined);
  const deadMansSwitch = await armDeadMansSwitch('docker stop "$1"', [name]);
  try {
    await docker([
      ...[
        'run',
        '--detach',
        '--rm',
        '--name',
        name,
        '--publish',
        `127.0.0.1:${port}:${definition.containerPort}`,
      ],
      ...[
        '--volume',
        `${name}:${definition.data}`,
        ...definition.options,
        definition.image,
        ...definition.command,
      ],
    ]);
    await untilReady(name, () => definition.probe(port));
  } catch (error) {
    await docker(['rm', '--force', name]).catch(() => undefined);
    deadMansSwitch.disarm();
    throw error;
  }
  return {
    url: definition.url(port),
    async stop() {
      await docker(['stop', '--time', String(STOP_WITHIN_S), name]);
      deadMansSwitch.disarm();
    },
  };
}

async function untilReady(name: string, probe: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      await probe();
      return;
    } catch (error) {
      const running = await docker(['ps', '--quiet', '--filter', `name=^${name}$`]);
      if (running === '') throw new Error(`The container ${name} ended while it was starting.`);
      if (Date.now() > deadline) throw new Error(`The container ${name} does not answer: ${String(error)}`);
      await delay(PROBE_INTERVAL_MS);
    }
  }
}

/** Runs the docker command; resolves with its stdout, rejects with what it says on stderr. */
async function docker(args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args);
  return stdout.trim();
}
