/** Where a text stops being JSON: JSON.parse says so only at times, and then quotes the text. */

/** A string, a number or a literal; as strict as JSON is. */
const SCALAR =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
  /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

/** What may come next. */
type Next = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | 'more';

/**
 * Finds the place of the first fault of a text that is not JSON.
 *
 * @returns line and column, both from 1; undefined where the text is JSON
 */
export function jsonFaultPosition(
  text: string,
): { readonly line: number; readonly column: number } | undefined {
  const at = faultOffset(text);
  if (at === undefined) return undefined;
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Nested by a list of its own, not by calls: a text may open brackets without end. */
function faultOffset(text: string): number | undefined {
  const open: ('}' | ']')[] = [];
  let next: Next = 'value';
  let at = 0;
  for (;;) {
    at += matchAt(SPACE, text, at);
    const mark = text[at];
    if (next === 'more' && open.length === 0) return mark === undefined ? undefined : at;
    const closing = open.at(-1);
    if (mark !== undefined && mark === closing && (next === 'more' || next.endsWith(mark))) {
      open.pop();
      next = 'more';
      at += 1;
    } else if (next === 'more') {
      if (mark !== ',') return at;
      next = closing === '}' ? 'name' : 'value';
      at += 1;
    } else if (next === ':') {
      if (mark !== ':') return at;
      next = 'value';
      at += 1;
    } else if (next.startsWith('name')) {
      const length = mark === '"' ? matchAt(SCALAR, text, at) : 0;
      if (length === 0) return at;
      next = ':';
      at += length;
    } else if (mark === '{' || mark === '[') {
      open.push(mark === '{' ? '}' : ']');
      next = mark === '{' ? 'name or }' : 'value or ]';
      at += 1;
    } else {
      const length = matchAt(SCALAR, text, at);
      if (length === 0) return at;
      next = 'more';
      at += length;
    }
  }
}

/** Length of what a sticky expression finds at a place; 0 = nothing. */
function matchAt(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return expression.exec(text)?.[0].length ?? 0;
}
