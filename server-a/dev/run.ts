/**
 * `make run`: serves the built gateway with a Redis and a RabbitMQ, until Ctrl-C.
 *
 * What it says goes to stderr; stdout has the gateway's log and nothing else.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onEndRequest } from './end-request.js';
import { AlreadyReported, provideServices } from './run/backing-services.js';
import { checkConfiguration } from './run/check-configuration.js';
import { readSettings } from './run/settings.js';
import { stoppingText } from './run/stopping-text.js';
import { curlCommand } from './run/try-it.js';
import { whyPortIsClosed } from './services/free-port.js';
import { type Ended, GatewayProcess } from './services/gateway-process.js';
import { untilReady } from './services/until-ready.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const DEFAULT_PORT = '8000';
const DEFAULT_SHUTDOWN_MS = 10_000;
/** Milliseconds beyond its own limit that the gateway is given to end. */
const SHUTDOWN_MARGIN_MS = 3_000;
const EVERY_INTERFACE = new Set([undefined, '', '0.0.0.0', '::']);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  // Until there is something to stop in order, ending is enough: dead man's switches end what has started.
  let end = (): void => process.exit(0);
  onEndRequest(() => end());

  const settings = await readSettings(ROOT);
  const host = settings.env['SERVER_A_HOST'];
  const port = settings.env['SERVER_A_PORT'] ?? DEFAULT_PORT;
  await refuseTakenPort(Number(port), host);
  // Before services are started for a gateway that would refuse to start.
  if (!(await checkConfiguration(ROOT, settings.env))) throw new AlreadyReported();
  await mkdir(join(ROOT, '.run'), { recursive: true });
  lockDataFolder(join(ROOT, '.run/run.pid'));

  say('Looking for Redis and RabbitMQ …');
  const services = await provideServices(ROOT, settings);
  const env: Record<string, string> = { NODE_ENV: 'development' };
  for (const [name, value] of Object.entries(settings.env)) if (value !== undefined) env[name] = value;
  for (const [variable, { url }] of Object.entries(services)) if (url !== undefined) env[variable] = url;
  const stopServices = () => Promise.all(Object.values(services).map((service) => service.stop()));

  const gateway = await GatewayProcess.start(env, {
    cwd: ROOT,
    output: 'inherit',
    // Ctrl-C must not reach it before this process has decided on the order in which things end.
    ownGroup: true,
    onOurDeath: 'SIGTERM',
  });
  let asked = 0;
  const askedToEnd = new Promise<undefined>((resolve) => {
    end = () => {
      asked += 1;
      if (asked === 1) resolve(undefined);
      // A second Ctrl-C: no more patience.
      else process.exit(130);
    };
  });
  try {
    const baseUrl = `http://${EVERY_INTERFACE.has(host) ? 'localhost' : host}:${port}`;
    const ready = untilReady(gateway, baseUrl).then(() => true);
    if (await Promise.race([ready, askedToEnd])) {
      const about = Object.values(services).map((service) => `  ${service.description}\n`);
      say(`\nThe gateway serves on ${baseUrl}, configured by ${settings.file}.\n${about.join('')}`);
      say(`Try it (Ctrl-C ends what was started here):\n\n${await curlCommand(baseUrl, env)}\n`);
      const ended = await Promise.race([gateway.ended, askedToEnd]);
      if (ended !== undefined) throw new Error(`The gateway has ended (${howItEnded(ended)}).`);
    }
    say(`\n${stoppingText(Object.values(services))}`);
  } finally {
    const limitMs = Number(env['SHUTDOWN_TIMEOUT_MS'] ?? DEFAULT_SHUTDOWN_MS);
    await gateway.stop('SIGTERM', limitMs + SHUTDOWN_MARGIN_MS);
    await stopServices();
  }
  return 0;
}

function howItEnded({ code, signal }: Ended): string {
  return signal ?? `exit code ${code}`;
}

async function refuseTakenPort(port: number, host: string | undefined): Promise<void> {
  // A port that is no number is for the gateway to refuse, with all other faults of the configuration.
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return;
  const why = await whyPortIsClosed(port, EVERY_INTERFACE.has(host) ? '0.0.0.0' : host);
  if (why === undefined) return;
  if (why === 'EADDRINUSE') {
    throw new Error(`Port ${port} is already in use: choose another, as in \`SERVER_A_PORT=8080 make run\`.`);
  }
  if (why === 'EACCES') {
    throw new Error(`Port ${port} needs privileges that you do not have: choose another with SERVER_A_PORT.`);
  }
  throw new Error(
    `The gateway could not listen on ${host}:${port} (${why}): see SERVER_A_HOST and SERVER_A_PORT.`,
  );
}

/** Two brokers on one data folder would destroy it. */
function lockDataFolder(file: string): void {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      process.once('exit', () => rmSync(file, { force: true }));
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
        throw new Error(
          `Cannot keep data in .run/: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      const owner = Number(readFileSync(file, 'utf8'));
      if (isAlive(owner)) {
        throw new Error(`Another \`make run\` (process ${owner}) uses the data in .run/: end it first.`);
      }
      rmSync(file, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof AlreadyReported)) say(error instanceof Error ? error.message : String(error));
  return 1;
});
process.exit();
