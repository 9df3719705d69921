/** The options of the command line that do something else than serve. */
import { newApiKey } from '../config/api-key.js';
import { ConfigError, faultLines } from '../config/faults.js';
import { MISSING } from '../config/json-entries.js';
import type { Config } from '../config/load.js';
import { configSummary } from '../config/summary.js';
import { type Variables, whereVariablesAre } from '../config/variables.js';
import { configWarnings } from '../config/warnings.js';
import { type Candidates, readArguments } from './arguments.js';
import { configDifferences } from './config-diff.js';
import { configText } from './config-text.js';
import { helpText } from './help.js';
import { newApiKeyText } from './new-api-key.js';
import { versionText } from './version.js';

/** What the process has to say, and how it ends. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Reads the configuration with some of its variables replaced. @throws {ConfigError} */
export type ReadConfig = (instead?: Variables) => Config;

/** For whoever starts a gateway for the first time. */
const TO_BEGIN =
  'To begin, copy .env.example to .env in the folder where the gateway is started, or name files: CLIENT_CONFIG_FILE,\n' +
  'PROVIDERS_CONFIG_FILE. --help says what each variable holds.';

/** Exit code for words that are not understood, as of most programs. */
const USAGE = 2;

/**
 * Does what the words after `main.js` ask for.
 *
 * @param readConfig reads the configuration as the start does, with some variables replaced; called only to check it
 * @returns undefined when they ask to serve
 */
export function runCommandLine(words: readonly string[], readConfig: ReadConfig): Outcome | undefined {
  const asked = readArguments(words);
  if ('problem' in asked) {
    return { stdout: '', stderr: `${asked.problem}\nTry --help.\n`, exitCode: USAGE };
  }
  switch (asked.command) {
    case 'serve':
      return undefined;
    case 'help':
      return { stdout: helpText(), stderr: '', exitCode: 0 };
    case 'version':
      return { stdout: `${versionText()}\n`, stderr: '', exitCode: 0 };
    case 'new-api-key':
      return { stdout: newApiKeyText(newApiKey()), stderr: '', exitCode: 0 };
    case 'check-config':
      return checkConfig(readConfig, asked.candidates);
  }
}

function checkConfig(readConfig: ReadConfig, { clients, providers, diff }: Candidates): Outcome {
  try {
    const config = readConfig({
      ...(clients !== undefined && { CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: clients }),
      ...(providers !== undefined && { PROVIDERS_CONFIG: '', PROVIDERS_CONFIG_FILE: providers }),
    });
    const warnings = configWarnings(config);
    const shown = diff ? differencesText(readConfig, config) : configText(configSummary(config));
    return {
      stdout: `The configuration is valid.\n\n${shown}`,
      stderr: warnings.length === 0 ? '' : `\nWarnings:\n${faultLines(warnings)}`,
      exitCode: 0,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Whoever named a candidate has not set the variable that stands for it.
    const faults = error.faults.map((fault) => {
      if (clients !== undefined && fault.variable === 'CLIENT_CONFIG_FILE')
        return { ...fault, variable: '--clients' };
      if (providers !== undefined && fault.variable === 'PROVIDERS_CONFIG_FILE')
        return { ...fault, variable: '--providers' };
      return fault;
    });
    return { stdout: '', stderr: describeFaults({ faults }), exitCode: 1 };
  }
}

/** What the candidates change; a configuration that is not valid now has nothing to be compared with. */
function differencesText(readConfig: ReadConfig, { registry }: Config): string {
  try {
    const lines = configDifferences(readConfig().registry, registry);
    return lines.length === 0
      ? 'Clients and providers stay as they are.\n'
      : `Clients and providers that change (+ new, - gone, ~ other):\n${lines.map((line) => `  ${line}\n`).join('')}`;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return 'What is configured now is not valid, so there is nothing to compare with.\n';
  }
}

/** Says every fault of a configuration, for people; where a required variable is missing, what to do as well. */
export function describeFaults({ faults }: Pick<ConfigError, 'faults'>): string {
  const toDo = faults.some(({ message }) => message === MISSING)
    ? `\n${whereVariablesAre()}\n${TO_BEGIN}\n`
    : '';
  return `The configuration is not valid:\n${faultLines(faults)}${toDo}`;
}
