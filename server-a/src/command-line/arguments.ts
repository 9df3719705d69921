import { parseArgs } from 'node:util';

/** What the command line asks for. */
export type Command = 'serve' | 'check-config' | 'help' | 'version';

/** Every option, in the order of `--help`; none = serve. */
export const OPTIONS = {
  'check-config': {
    help: 'Check the configuration, print it without secrets, and exit: 0 = valid, 1 = not valid',
  },
  help: { short: 'h', help: 'Print this text and exit' },
  version: { short: 'v', help: 'Print name and version and exit' },
} as const satisfies Record<string, { readonly short?: string; readonly help: string }>;

/**
 * Reads the words after `main.js`. With several options, `--help` goes before `--version`, and that before the rest.
 *
 * @returns a sentence, where they are not understood
 */
export function readArguments(words: readonly string[]): { command: Command } | { problem: string } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        'check-config': { type: 'boolean' },
        help: { type: 'boolean', short: OPTIONS.help.short },
        version: { type: 'boolean', short: OPTIONS.version.short },
      },
      strict: true,
      allowPositionals: false,
    });
    if (values.help) return { command: 'help' };
    if (values.version) return { command: 'version' };
    return { command: values['check-config'] ? 'check-config' : 'serve' };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
