/** Reads TypeScript as text, for what the compiled code no longer knows. */

/** Every `log.<level>(…, '<message>')` of a source: its level, and the last text among its arguments. */
export function logCalls(source: string): { level: string; message: string }[] {
  return [...source.matchAll(/\blog\.(trace|debug|info|warn|error|fatal)\(/gi)].map((call) => {
    const args = argumentsAt(source, call.index + call[0].length);
    const [, message = args] = /'([^']*)',?\s*$/.exec(args) ?? [];
    return { level: call[1] ?? '', message };
  });
}

/** The text from an opening bracket to the one that closes it. */
function argumentsAt(source: string, start: number): string {
  let depth = 1;
  let end = start;
  for (; depth > 0 && end < source.length; end += 1) {
    if (source[end] === '(') depth += 1;
    else if (source[end] === ')') depth -= 1;
  }
  return source.slice(start, end - 1);
}
