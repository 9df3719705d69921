import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Command = 'serve' | 'check-config' | 'new-api-key' | 'help' | 'version';

/** Every option, in the order of `--help`; none = serve. */
export const OPTIONS = {
  'check-config': {
    help: 'Check the configuration, print it without secrets, and exit: 0 = valid, 1 = not valid',
  },
  clients: {
    value: 'FILE',
    help: 'With --check-config: take the clients of this file instead',
  },
  providers: {
    value: 'FILE',
    help: 'With --check-config: take the providers of this file instead',
  },
  diff: {
    help: 'With --check-config: print only what would change from the configuration without these files',
  },
  'new-api-key': {
    help: 'Print a new API key, and the entry of CLIENT_CONFIG that stands for it, and exit',
  },
  help: {
    short: 'h',
    help: 'Print the options and the environment variables, with their defaults, and exit',
  },
  version: { short: 'v', help: 'Print name and version, and exit' },
} as const satisfies Record<
  string,
  { readonly short?: string; readonly value?: string; readonly help: string }
>;

/** Files to check in the place of those that are configured, before they take it. */
export interface Candidates {
  readonly clients?: string;
  readonly providers?: string;
  /** Print the differences instead of the whole. */
  readonly diff: boolean;
}

/**
 * Reads the words after `main.js`. With several options, `--help` goes before `--version`, and that before the rest.
 *
 * @returns a sentence, where they are not understood
 */
export function readArguments(
  words: readonly string[],
): { command: Command; candidates: Candidates } | { problem: string } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        'check-config': { type: 'boolean' },
        clients: { type: 'string' },
        providers: { type: 'string' },
        diff: { type: 'boolean' },
        'new-api-key': { type: 'boolean' },
        help: { type: 'boolean', short: OPTIONS.help.short },
        version: { type: 'boolean', short: OPTIONS.version.short },
      },
      strict: true,
      allowPositionals: false,
    });
    const { clients, providers, diff = false } = values;
    const candidates = {
      ...(clients !== undefined && { clients }),
      ...(providers !== undefined && { providers }),
      diff,
    };
    if (values.help) return { command: 'help', candidates };
    if (values.version) return { command: 'version', candidates };
    if (values['new-api-key']) return { command: 'new-api-key', candidates };
    if (values['check-config']) return { command: 'check-config', candidates };
    const stray = Object.keys(values)[0];
    if (stray !== undefined) return { problem: `--${stray} goes with --check-config.` };
    return { command: 'serve', candidates };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
