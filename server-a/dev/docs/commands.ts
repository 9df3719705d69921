/** The commands of CONTRIBUTING.md, and how each is shown to work. */

/** A command as documented: run as it stands, or shown to work somewhere else. */
export type DocumentedCommand =
  | {
      readonly text: string;
      readonly run: true;
      /** It goes on until Ctrl-C: what it has said by then. Undefined = it ends by itself, with 0. */
      readonly until?: RegExp;
      /** What is typed into it. */
      readonly input?: string;
    }
  | { readonly text: string; readonly run: false; readonly because: string };

const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['npm ci', 'dev/setup.sh runs it'],
  ['sudo apt-get install redis-server rabbitmq-server openssl', 'dev/setup.sh installs the same'],
  ['make test', '.ci/run runs it'],
]);

/** A line that AVA or `make run` writes when it is there, by the end of the command. */
const GOES_ON: readonly (readonly [ending: string, until: RegExp])[] = [
  ['--watch', /\d+ tests? passed[\s\S]*Type `r`/],
  ['make run', /Try it/],
];

/**
 * Returns the commands of a page's `sh` blocks, in order: one a line, without the comment behind it. A block that begins
 * with `cd` is one command, and the shell that it opens is left at once by typing `exit`.
 */
export function documentedCommands(page: string): DocumentedCommand[] {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => {
    const lines = block
      .split('\n')
      .map((line) => line.replace(/\s+# .*$/, ''))
      .filter((line) => line !== '');
    return (lines[0]?.startsWith('cd ') ? [lines.join('\n')] : lines).map(asCommand);
  });
}

function asCommand(text: string): DocumentedCommand {
  const because = ELSEWHERE.get(text);
  if (because !== undefined) return { text, run: false, because };
  const until = GOES_ON.find(([ending]) => text.endsWith(ending))?.[1];
  if (until !== undefined) return { text, run: true, until };
  return text.endsWith(' bash') ? { text, run: true, input: 'exit\n' } : { text, run: true };
}
