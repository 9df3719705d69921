/** The headers of the scripts against their code, and the functions that scripts share. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { readScript, SCRIPTS } from '../../src/redis/script-files.js';

const DIRECTORY = new URL('../../lua/', import.meta.url);
const FILES = namesIn(DIRECTORY);
const FUNCTIONS = namesIn(new URL('functions/', DIRECTORY));
/** More lines in a row than this, alike in two files, are a function that has not been written yet. */
const MOST_LINES_ALIKE = 5;

function namesIn(directory: URL): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -'.lua'.length))
    .sort();
}

const read = (path: string): string => readFileSync(new URL(`${path}.lua`, DIRECTORY), 'utf8');
const withoutComments = (text: string): string => text.replace(/--.*$/gm, '');
const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '');
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();

/** The comment that a file begins with, and the rest without comments. */
function parts(path: string): { header: string[]; body: string } {
  const lines = read(path).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  return { header: lines.slice(0, end), body: withoutComments(lines.slice(end).join('\n')) };
}

const includesOf = (file: string): string[] => all(read(file), /^-- @include (\w+)$/gm);

/** Splits at the commas that stand in no bracket and in no text. */
function splitList(list: string): string[] {
  const commas = list
    .replace(/'[^']*'/g, (text) => 'x'.repeat(text.length))
    .replace(/\([^()]*\)|\{[^{}]*\}/g, (text) => 'x'.repeat(text.length));
  const ends = [...commas.matchAll(/,/g)].map(({ index }) => index);
  return [...ends, list.length].map((end, n) => list.slice((ends[n - 1] ?? -1) + 1, end).trim());
}

/** The replies of a text as `status/number of fields`. */
const repliesIn = (text: string, pattern: RegExp): string[] =>
  all(text, pattern).map((list) => {
    const [status = '', ...rest] = splitList(list);
    return `${status.replaceAll("'", '')}/${rest.length + 1}`;
  });

/** Names that a function file defines for those that include it. */
const definedIn = (name: string): string[] => all(read(`functions/${name}`), /^local (?:function )?(\w+)/gm);

const mentions = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);

test('lua: the files -> exactly those that are bound', (t) => {
  t.deepEqual(FILES, sorted(Object.values(SCRIPTS).map(({ file }) => file)));
});

test('lua: the functions -> each is included by a script, and includes nothing itself', (t) => {
  t.deepEqual(FUNCTIONS, sorted(FILES.flatMap(includesOf)));
  t.deepEqual(
    FUNCTIONS.flatMap((name) => includesOf(`functions/${name}`)),
    [],
  );
});

test('lua: what stands in two files -> not longer than an idiom', (t) => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const path of [...FILES, ...FUNCTIONS.map((name) => `functions/${name}`)]) {
    const lines = parts(path)
      .body.split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    for (let at = 0; at + MOST_LINES_ALIKE < lines.length; at += 1) {
      const run = lines.slice(at, at + MOST_LINES_ALIKE + 1).join('\n');
      const other = seen.get(run);
      if (other !== undefined) twice.push(`${other} and ${path}:\n${run}`);
      seen.set(run, path);
    }
  }
  t.deepEqual(twice, []);
});

for (const name of FUNCTIONS) {
  const { header, body } = parts(`functions/${name}`);

  test(`lua functions/${name}: the file -> begins with a comment that says what it is, and defines something`, (t) => {
    t.true(header.join(' ').length > 60);
    t.true(definedIn(name).length > 0);
  });

  test(`lua functions/${name}: KEYS and ARGV -> not touched; what it is given are arguments`, (t) => {
    t.notRegex(body, /\b(KEYS|ARGV)\b/);
  });
}

for (const file of FILES) {
  const { header, body: written } = parts(file);
  const text = header.join('\n');
  // What a script is given many of, or behind many of, has a place with a plus.
  const lastWord = all(text, /^-- ARGV\[(\d+)\+\]/gm).at(-1);
  const body = written
    .replace(/\bKEYS\[count \+ (\d+)\]/g, (_all, n) => `KEYS[${Number(n) + 1}+]`)
    .replace(/\bKEYS\b(?!\[)/g, 'KEYS[1+]')
    .replace(/\bARGV\b(?!\[)/g, `ARGV[${lastWord}+]`);
  const expanded = withoutComments(readScript(file));
  const includes = includesOf(file);
  const keys = Math.max(
    ...Object.values(SCRIPTS).map((script) => (script.file === file ? (script.keys ?? 0) : 0)),
  );

  test(`lua ${file}: the header -> purpose, KEYS, ARGV, Returns, Atomic, Replay in this order, then the includes`, (t) => {
    const kinds = all(text, /^-- (Purpose:|KEYS|ARGV|Returns|Atomic:|Replay:|@include)/gm).map((kind) =>
      kind.replace(':', ''),
    );
    const order = ['Purpose', 'KEYS', 'ARGV', 'Returns', 'Atomic', 'Replay', '@include'];
    t.deepEqual(
      kinds,
      [...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
    );
    t.deepEqual(sorted(kinds), sorted(order.filter((kind) => kind !== 'ARGV' || body.includes('ARGV'))));
    t.true(header.slice(header.length - includes.length).every((line) => line.startsWith('-- @include ')));
  });

  test(`lua ${file}: KEYS and ARGV -> documented with a type, and used, each`, (t) => {
    const documentedKeys = all(text, /^-- (KEYS\[\d+\+?\]) \S+\s+(?:string|integer)\s+\S/gm);
    if (keys > 0) {
      t.deepEqual(
        documentedKeys,
        Array.from({ length: keys }, (_, n) => `KEYS[${n + 1}]`),
      );
    } else t.true(documentedKeys.length > 0);
    t.deepEqual(sorted(all(body, /(KEYS\[\d+\+?\])/g)), documentedKeys);
    const documented = all(text, /^-- (ARGV\[\d+\+?\]) \S+\s+(?:string|integer)\s+\S/gm);
    t.deepEqual(
      documented.map((place) => place.replace('+', '')),
      documented.map((_, n) => `ARGV[${n + 1}]`),
    );
    t.deepEqual(sorted(all(body, /(ARGV\[\d+\+?\])/g)), sorted(documented));
  });

  test(`lua ${file}: KEYS and ARGV -> given their documented names once, at the top`, (t) => {
    const [top = '', ...rest] = body.split('\n\n');
    t.notRegex(rest.join('\n'), /\b(KEYS|ARGV)\b/);
    const named = [...top.matchAll(/^local (.+?) = (.+)$/gm)].flatMap(([, names = '', values = '']) => {
      const listed = splitList(values);
      return splitList(names).flatMap((name, n) => {
        const place = /\w+\[\d+\+?\]/.exec(listed[n] ?? '')?.[0];
        return place === undefined ? [] : [`${place} ${name}`];
      });
    });
    t.deepEqual(sorted(named), sorted(all(text, /^-- ((?:KEYS|ARGV)\[\d+\+?\] \w+)/gm)));
  });

  test(`lua ${file}: replies -> exactly those in the Returns lines, with as many fields`, (t) => {
    const documented = sorted(repliesIn(text, /^-- Returns \{(.+?)\}/gm));
    const returned = repliesIn(expanded, /(?:\breturn|\bor) \{ ('[^{}]+) \}(?:, \w+)?$/gm);
    t.deepEqual(sorted(returned), documented);
  });

  test(`lua ${file}: its includes -> each is used, and stands before what uses it`, (t) => {
    for (const [n, name] of includes.entries()) {
      const users = [body, ...includes.slice(n + 1).map((other) => parts(`functions/${other}`).body)];
      const earlier = includes.slice(0, n).map((other) => parts(`functions/${other}`).body);
      const defined = definedIn(name);
      t.true(
        defined.some((own) => users.some((user) => mentions(user, own))),
        `${name} is not used`,
      );
      for (const own of defined)
        t.false(
          earlier.some((other) => mentions(other, own)),
          `${own} comes late`,
        );
    }
    const known = includes.flatMap(definedIn);
    const missing = FUNCTIONS.flatMap(definedIn).filter(
      (name) => !known.includes(name) && new RegExp(`\\b${name}\\(`).test(expanded),
    );
    t.deepEqual(missing, []);
  });

  test(`lua ${file}: what Redis is sent -> no line that is still to be replaced`, (t) => {
    t.notRegex(readScript(file), /@include/);
  });
}
