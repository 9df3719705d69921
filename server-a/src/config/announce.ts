import type { Log } from '../logging/log.js';
import type { Config } from './load.js';
import { configSummary } from './summary.js';
import { configWarnings } from './warnings.js';

/** Clients, providers, and aliases of each, that a line lists: with more, log collectors would cut the line. */
const LISTED_IN_LOG = 20;

/** Logs the configuration that is in force from now on, and in a second line what looks wrong in it. */
export function announceConfig(config: Config, log: Log): void {
  log.info({ config: configSummary(config, LISTED_IN_LOG) }, 'config.loaded');
  const warnings = configWarnings(config);
  if (warnings.length > 0) log.warn({ warnings }, 'config.warnings');
}
