/** The process: reads the configuration, starts the gateway, obeys signals. The only caller of process.exit. */
import { describeFaults, type Outcome, runCommandLine } from './command-line/run.js';
import { announceConfig } from './config/announce.js';
import { ConfigError } from './config/faults.js';
import { loadConfig } from './config/load.js';
import { readVariables, type Variables } from './config/variables.js';
import { type Gateway, startGateway } from './gateway.js';
import { createLogging, type Logging } from './logging/log.js';

const readConfig = (instead: Variables = {}) => loadConfig({ ...readVariables(), ...instead });

function reportFaults({ log }: Logging, error: ConfigError): void {
  log.fatal({ faults: error.faults }, 'config.invalid');
  process.stderr.write(describeFaults(error));
}

/** Ends the process in order at the first signal, at once at the second or when the time is up. */
function stopOnSignals(gateway: Gateway, { log, flush, drain }: Logging, timeoutMs: number): void {
  let stopping = false;
  const exit = (code: number): never => {
    flush();
    process.exit(code);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      gateway.cutShort();
      log.warn({ signal }, 'shutdown.forced');
      exit(1);
    }
    stopping = true;
    log.info({ signal }, 'shutdown.started');
    setTimeout(() => {
      gateway.cutShort();
      log.error('shutdown.timed_out');
      exit(1);
    }, timeoutMs);
    gateway
      .stop()
      .then(
        ({ givenUp }) => {
          log.info({ settlements_given_up: givenUp }, 'shutdown.done');
          return 0;
        },
        (err: unknown) => {
          log.error({ err }, 'shutdown.failed');
          return 1;
        },
      )
      .then(async (code) => {
        await drain();
        exit(code);
      });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** A fault that nobody foresaw: say it and end; whoever runs us starts us anew, and the invariants survive a crash. */
function endOnUnforeseen({ log, flush }: Logging): void {
  const end = (err: unknown): void => {
    log.fatal({ err }, 'process.unforeseen');
    flush();
    process.exit(70);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

async function serve(): Promise<void> {
  let logging: Logging | undefined;
  try {
    const config = readConfig();
    logging = createLogging(config.env.SERVICE_NAME, config.env.LOG_LEVEL);
    endOnUnforeseen(logging);
    announceConfig(config, logging.log);
    let gateway: Gateway | undefined;
    // From now on: unheard, the signal would end the process.
    process.on('SIGHUP', () => gateway?.reload());
    gateway = await startGateway(config, logging.log, { readConfig });
    stopOnSignals(gateway, logging, config.env.SHUTDOWN_DELAY_MS + config.env.SHUTDOWN_TIMEOUT_MS);
    logging.log.info(
      {
        address: gateway.address.address,
        port: gateway.address.port,
        ...(gateway.operationsAddress !== undefined && {
          operations_port: gateway.operationsAddress.port,
        }),
        clients: config.registry.clients.length,
        providers: config.registry.providers.length,
        config_fingerprint: config.registry.fingerprints,
        node: process.version,
      },
      'gateway.started',
    );
  } catch (error) {
    // Without a configuration there is its service's name at the most, and the usual level.
    logging ??= createLogging(process.env['SERVICE_NAME'] || 'server-a', 'info');
    if (error instanceof ConfigError) reportFaults(logging, error);
    else logging.log.fatal({ err: error }, 'gateway.not_started');
    logging.flush();
    process.exit(1);
  }
}

/** Prints, and ends by itself once all is written. */
function say({ stdout, stderr, exitCode }: Outcome): void {
  // Who reads a part of it, such as `head`, closes the pipe early: that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = exitCode;
}

const outcome = runCommandLine(process.argv.slice(2), readConfig);
if (outcome === undefined) void serve();
else say(outcome);
