/** No file imports itself by way of others, not even for a type: each can be read after what it is built on. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SERVER_A = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['src', 'dev', 'bench', 'test'];

/** Returns the files of all folders, each with the files that it imports. */
function importsOf(folders: readonly string[]): Map<string, readonly string[]> {
  const files = folders.flatMap((folder) =>
    readdirSync(join(SERVER_A, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  );
  return new Map(
    files.map((file) => {
      const paths = readFileSync(join(SERVER_A, file), 'utf8').matchAll(/\bfrom '(\.[^']+)\.js'/g);
      return [file, Array.from(paths, ([, path = '']) => `${join(dirname(file), path)}.ts`)];
    }),
  );
}

/** Returns the first circle that is found: its files in the order of their imports. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  function visit(file: string, path: readonly string[]): readonly string[] | undefined {
    if (path.includes(file)) return path.slice(path.indexOf(file));
    if (done.has(file)) return undefined;
    for (const imported of imports.get(file) ?? []) {
      const circle = visit(imported, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  }
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

test('all folders: no circle of imports, type imports included', (t) => {
  const imports = importsOf(FOLDERS);
  t.true((imports.get('src/main.ts')?.length ?? 0) > 0, 'the imports are found');
  t.is(circleIn(imports), undefined);
});

test('a circle is found, also behind files that are in none', (t) => {
  const imports = new Map([
    ['start', ['a']],
    ['a', ['leaf', 'b']],
    ['b', ['c']],
    ['c', ['a']],
    ['leaf', []],
  ]);
  t.deepEqual(circleIn(imports), ['a', 'b', 'c']);
});
