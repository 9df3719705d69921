import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { urlsOf } from '../../src/config/urls.js';
import { startRabbitMqContainer, startRedisContainer } from '../services/docker-container.js';
import { rabbitMqScript } from '../services/rabbitmq-environment.js';
import { startRabbitMqServer } from '../services/rabbitmq-server.js';
import { startRedisServer } from '../services/redis-server.js';
import type { ServiceVariable, Settings } from './settings.js';

/** A Redis or RabbitMQ that the gateway can use. */
export interface BackingService {
  /** For the gateway's environment; undefined leaves the variable as it is. */
  readonly url: string | undefined;
  /** What a person wants to know of it, in a line. */
  readonly description: string;
  readonly name: string;
  /** True where it was started here and ends with the gateway; false for one that was there. */
  readonly startedHere: boolean;
  stop(): Promise<void>;
}

/** Thrown after the reason has been printed by somebody else. */
export class AlreadyReported extends Error {}

const CONNECT_TIMEOUT_MS = 2_000;
const DOCKER_ANSWERS_WITHIN_MS = 2_000;

/**
 * Finds or starts the Redis and the RabbitMQ of `make run`. For each, the first of: the server at the address
 * that somebody chose; a private instance of the installed program; a container, if an engine answers; a
 * private instance after the system's package has been installed.
 * @param root folder of the repository; private data is under `.run/` and stays between runs.
 * @throws Error with a sentence for the user, or AlreadyReported, when one of them cannot be had.
 */
export async function provideServices(
  root: string,
  settings: Settings,
): Promise<Record<ServiceVariable, BackingService>> {
  const chosen = {
    REDIS_URL: await findChosen('REDIS_URL', settings),
    RABBITMQ_URL: await findChosen('RABBITMQ_URL', settings),
  };
  const here = { redis: hasRedis(), rabbitMq: await hasRabbitMq() };
  const missing = (!chosen.REDIS_URL && !here.redis) || (!chosen.RABBITMQ_URL && !here.rabbitMq);
  const docker = missing && dockerAnswers();
  if (missing && !docker) await installServices(root);

  const dataDir = join(root, '.run');
  const redis = async () =>
    docker && !here.redis
      ? asBackingService('Redis', 'in Docker', await startRedisContainer(root))
      : asBackingService(
          'Redis',
          'private',
          await startRedisServer({ dataDir: join(dataDir, 'redis'), appendOnly: true }),
        );
  const rabbitMq = async () =>
    docker && !here.rabbitMq
      ? asBackingService('RabbitMQ', 'in Docker', await startRabbitMqContainer(root))
      : asBackingService(
          'RabbitMQ',
          'private',
          await startRabbitMqServer({ dataDir: join(dataDir, 'rabbitmq') }),
        );
  const [REDIS_URL, RABBITMQ_URL] = await Promise.all([
    chosen.REDIS_URL ?? redis(),
    chosen.RABBITMQ_URL ?? rabbitMq(),
  ]);
  return { REDIS_URL, RABBITMQ_URL };
}

function asBackingService(
  name: string,
  kind: string,
  server: { url: string; stop(): Promise<void> },
): BackingService {
  return {
    url: server.url,
    description: `${name}: ${kind}, ${server.url}`,
    name,
    startedHere: true,
    stop: () => server.stop(),
  };
}

async function findChosen(
  variable: ServiceVariable,
  settings: Settings,
): Promise<BackingService | undefined> {
  const one = {
    name: variable === 'REDIS_URL' ? 'Redis' : 'RabbitMQ',
    startedHere: false,
    stop: async () => undefined,
  };
  if (settings.env[`${variable}_FILE`]) {
    return { ...one, url: undefined, description: `${variable}: as ${variable}_FILE says` };
  }
  const url = settings.chosenUrl(variable);
  if (url === undefined) return undefined;
  // One node that answers is enough: the gateway finds the others.
  const addresses = urlsOf(url).map(hostAndPort);
  for (const address of addresses) {
    if (address !== undefined && (await accepts(address))) {
      return { ...one, url, description: `${variable}: yours, at ${address.host}:${address.port}` };
    }
  }
  const [address] = addresses;
  // Without the user name and password of the URL.
  const where = address === undefined ? 'the address in it' : `${address.host}:${address.port}`;
  process.stderr.write(`Nothing answers at ${where} (${variable}): using a private instance instead.\n`);
  return undefined;
}

function hostAndPort(url: string): { host: string; port: number } | undefined {
  const defaults: Record<string, number> = { 'redis:': 6379, 'rediss:': 6379, 'amqp:': 5672, 'amqps:': 5671 };
  if (!URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  const number = port === '' ? defaults[protocol] : Number(port);
  // An IPv6 address is in brackets in a URL only.
  return number === undefined ? undefined : { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: number };
}

/** Only a connection: what comes after may need certificates, which are the gateway's business. */
function accepts(address: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: CONNECT_TIMEOUT_MS });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}

function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
}

function hasRabbitMq(): Promise<boolean> {
  return rabbitMqScript('rabbitmq-server').then(
    () => true,
    () => false,
  );
}

function dockerAnswers(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: DOCKER_ANSWERS_WITHIN_MS }).status === 0;
}

async function installServices(root: string): Promise<void> {
  const script = join(root, 'server-a/dev/setup.sh');
  const setup = spawn(script, ['--with-services'], { stdio: ['inherit', process.stderr, 'inherit'] });
  await once(setup, 'exit');
  if (setup.exitCode !== 0) throw new AlreadyReported();
}
