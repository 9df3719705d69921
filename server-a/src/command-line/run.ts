/** The options of the command line that do something else than serve. */
import { ConfigError, faultLines } from '../config/faults.js';
import type { Config } from '../config/load.js';
import { configSummary } from '../config/summary.js';
import { configWarnings } from '../config/warnings.js';
import { readArguments } from './arguments.js';
import { configText } from './config-text.js';
import { helpText } from './help.js';
import { versionText } from './version.js';

/** What the process has to say, and how it ends. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Exit code for words that are not understood, as of most programs. */
const USAGE = 2;

/**
 * Does what the words after `main.js` ask for.
 *
 * @param readConfig reads the configuration as the start does; called only to check it
 * @returns undefined when they ask to serve
 */
export function runCommandLine(words: readonly string[], readConfig: () => Config): Outcome | undefined {
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
    case 'check-config':
      return checkConfig(readConfig);
  }
}

function checkConfig(readConfig: () => Config): Outcome {
  try {
    const config = readConfig();
    const warnings = configWarnings(config);
    return {
      stdout: `The configuration is valid.\n\n${configText(configSummary(config))}`,
      stderr: warnings.length === 0 ? '' : `\nWarnings:\n${faultLines(warnings)}`,
      exitCode: 0,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { stdout: '', stderr: describeFaults(error), exitCode: 1 };
  }
}

/** Says every fault of a configuration, for people. */
export function describeFaults({ faults }: ConfigError): string {
  return `The configuration is not valid:\n${faultLines(faults)}`;
}
