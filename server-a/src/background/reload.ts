/** Puts changed clients and providers in force without a restart. */
import { unwatchFile, watchFile } from 'node:fs';
import { announceConfig } from '../config/announce.js';
import { ConfigError } from '../config/faults.js';
import type { Config } from '../config/load.js';
import type { RegistryHolder } from '../config/registry.js';
import type { RenewableTls } from '../connection/tls-context.js';
import type { Log } from '../logging/log.js';
import { type Metrics, RELOAD_OUTCOMES, type ReloadOutcome } from '../metrics.js';
import { describeRegistry } from '../operations/config-metrics.js';

/**
 * Milliseconds between two looks at a watched file. Looked at by name, not by notification: a mounted secret is changed
 * by swapping a link some folders above it, which notifications miss.
 */
const LOOK_EVERY_MS = 1000;
/** Milliseconds that a changed file is given to be written to its end. */
const SETTLE_MS = 200;

/** What a reload works on. */
export interface ConfigReloadParts {
  /** The configuration that the process was started with. */
  readonly started: Config;
  /** Reads and checks it anew. @throws {ConfigError} */
  readonly read: () => Config;
  readonly registry: RegistryHolder;
  readonly tls: Readonly<Record<'redis' | 'rabbitmq', RenewableTls>>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Is told after a change. */
  readonly onChange: () => void;
  /** Milliseconds between two looks at a watched file; production has the default. */
  readonly lookEveryMs?: number;
}

/** Reads the configuration anew when it is asked to, and when a watched file changes. */
export class ConfigReload {
  readonly #parts: ConfigReloadParts;
  readonly #files: readonly string[];
  readonly #onFileChange = (): void => {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.reload('file'), SETTLE_MS);
    this.#settling.unref();
  };
  #settling: NodeJS.Timeout | undefined;

  constructor(parts: ConfigReloadParts) {
    this.#parts = parts;
    const { lookEveryMs = LOOK_EVERY_MS } = parts;
    this.#files = [...parts.started.registryFiles, ...parts.started.tlsFiles];
    parts.metrics.configLastReloadSuccessful.set(1);
    for (const outcome of RELOAD_OUTCOMES) this.#count(outcome, 0);
    for (const file of this.#files) {
      watchFile(file, { interval: lookEveryMs, persistent: false }, this.#onFileChange);
    }
  }

  /**
   * Reads the configuration and puts its clients and providers in force, all at once: a request that has begun ends with
   * those that it began with. A faulty one is refused, and the last good one stays.
   *
   * @param trigger what asked for it, for the log
   */
  reload(trigger: 'signal' | 'file'): void {
    const { started, read, registry, metrics, log, onChange } = this.#parts;
    let config: Config;
    try {
      config = read();
    } catch (error) {
      this.#count('refused', 1);
      metrics.configLastReloadSuccessful.set(0);
      log.error(
        error instanceof ConfigError ? { trigger, faults: error.faults } : { trigger, err: error },
        'config.reload_refused',
      );
      return;
    }
    metrics.configLastReloadSuccessful.set(1);
    const needRestart = changedVariables(started, config);
    if (needRestart.length > 0) log.warn({ trigger, variables: needRestart }, 'config.restart_needed');
    const renewed = this.#renewTls(config);
    const { clients, providers } = registry.current.fingerprints;
    const { fingerprints } = config.registry;
    if (fingerprints.clients === clients && fingerprints.providers === providers) {
      if (renewed) {
        this.#count('applied', 1);
        onChange();
        return;
      }
      this.#count('unchanged', 1);
      log.info({ trigger, config_fingerprint: fingerprints }, 'config.unchanged');
      return;
    }
    registry.current = config.registry;
    describeRegistry(metrics, config.registry);
    this.#count('applied', 1);
    log.info(
      {
        trigger,
        clients: config.registry.clients.length,
        providers: config.registry.providers.length,
        config_fingerprint: fingerprints,
      },
      'config.reloaded',
    );
    announceConfig({ ...started, registry: config.registry }, log);
    onChange();
  }

  /** Puts renewed certificates in force for the next connections; true where there were any. */
  #renewTls({ redisTls, rabbitmqTls }: Config): boolean {
    const { tls, log } = this.#parts;
    const renewed = (['redis', 'rabbitmq'] as const).filter((service) =>
      tls[service].renew(service === 'redis' ? redisTls : rabbitmqTls),
    );
    for (const service of renewed) log.info({ service }, 'config.certificates_renewed');
    return renewed.length > 0;
  }

  /** Stops watching. */
  stop(): void {
    clearTimeout(this.#settling);
    for (const file of this.#files) unwatchFile(file, this.#onFileChange);
  }

  #count(outcome: ReloadOutcome, times: number): void {
    this.#parts.metrics.configReloads.inc({ outcome }, times);
  }
}

/** Variables, other than the two that can change at run time, whose values are not those of the start. */
function changedVariables(started: Config, now: Config): string[] {
  const before = new Map<string, unknown>(Object.entries(started.env));
  return Object.entries(now.env)
    .filter(([name, value]) => before.get(name) !== value)
    .map(([name]) => name);
}
