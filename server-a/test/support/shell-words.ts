/** One command of a shell, taken apart: variables set for it, then the words of the command. */
export interface ShellCommand {
  readonly variables: Readonly<Record<string, string>>;
  readonly words: readonly string[];
}

/** Reads a command as a shell does, as far as documentation needs it: bare words, single quotes, lines continued by `\`. */
export function readCommand(text: string): ShellCommand {
  const variables: Record<string, string> = {};
  const words: string[] = [];
  for (const [token] of text.replaceAll('\\\n', ' ').matchAll(/(?:[^\s']|'[^']*')+/g)) {
    const word = token.replaceAll("'", '');
    const [, name, value = ''] = /^([A-Z][A-Z0-9_]*)=([\s\S]*)$/.exec(word) ?? [];
    if (name !== undefined && words.length === 0) variables[name] = value;
    else words.push(word);
  }
  return { variables, words };
}
