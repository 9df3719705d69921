/** What a JSON text says beside its value: JSON.parse keeps the last of several members of one name, without a word. */

/** Strings, marks, and everything else, in a text that is valid JSON. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** One object or list that is open at some place of the text. */
interface Open {
  /** Names seen in it so far; undefined = it is a list. */
  readonly names: Set<string> | undefined;
  /** Name or index of the member that is being read. */
  member: string | number;
}

/**
 * Finds members of an object that have the name of an earlier one, at any depth.
 *
 * @param json valid JSON
 * @returns the path of each, from the outermost name or index inwards; each path once
 */
export function repeatedMembers(json: string): (readonly (string | number)[])[] {
  const found = new Map<string, readonly (string | number)[]>();
  const open: Open[] = [];
  let nameComes = false;
  for (const [token] of json.matchAll(TOKEN)) {
    const inner = open.at(-1);
    switch (token) {
      case '{':
        open.push({ names: new Set(), member: '' });
        nameComes = true;
        break;
      case '[':
        open.push({ names: undefined, member: 0 });
        nameComes = false;
        break;
      case '}':
      case ']':
        open.pop();
        nameComes = false;
        break;
      case ',':
        if (typeof inner?.member === 'number') inner.member += 1;
        nameComes = inner?.names !== undefined;
        break;
      case ':':
        nameComes = false;
        break;
      default:
        if (!nameComes || inner?.names === undefined) break;
        // As JSON.parse reads it: the same name can be written with escapes.
        inner.member = String(JSON.parse(token));
        if (inner.names.has(inner.member)) {
          const path = open.map(({ member }) => member);
          found.set(JSON.stringify(path), path);
        }
        inner.names.add(inner.member);
    }
  }
  return [...found.values()];
}
