/** How deep a JSON text is nested, found without parsing it. */

/**
 * Levels of lists and objects within one another, at the most. A message has two and a batch four. What goes through a
 * parsed body level by level would take time as its sender likes: 512 KiB hold 250,000 levels.
 */
export const MOST_LEVELS = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LIST = { begin: 0x5b, end: 0x5d } as const;
const OBJECT = { begin: 0x7b, end: 0x7d } as const;

/** True for a JSON text of more than {@link MOST_LEVELS}; of a text that is no JSON it says nothing. */
export function isTooDeep(json: Buffer): boolean {
  let levels = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (isInString) {
      // What it escapes may be a quote.
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === LIST.begin || byte === OBJECT.begin) {
      levels += 1;
      if (levels > MOST_LEVELS) return true;
    } else if (byte === LIST.end || byte === OBJECT.end) levels -= 1;
  }
  return false;
}
