import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { SCRIPTS } from '../../src/redis/scripts.js';

const DIRECTORY = new URL('../../lua/', import.meta.url);
const FILES = readdirSync(DIRECTORY);

/** A script's header (the comment it begins with) and its body, comments taken out. */
function parts(file: string): { header: string[]; body: string } {
  const lines = readFileSync(new URL(file, DIRECTORY), 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const body = lines.slice(end).map((line) => line.replace(/--.*$/, ''));
  return { header: lines.slice(0, end), body: body.join('\n') };
}

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? '');
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();

test('lua: the files -> exactly those that are bound', (t) => {
  t.deepEqual(
    FILES.sort(),
    Object.values(SCRIPTS)
      .map(({ file }) => `${file}.lua`)
      .sort(),
  );
});

for (const file of FILES) {
  const { header, body } = parts(file);
  const text = header.join('\n');

  test(`lua ${file}: the header -> purpose, KEYS, ARGV, Returns, Atomic, Replay in this order`, (t) => {
    const kinds = all(text, /^-- (Purpose:|KEYS|ARGV|Returns|Atomic:|Replay:)/gm).map((kind) =>
      kind.replace(':', ''),
    );
    const order = ['Purpose', 'KEYS', 'ARGV', 'Returns', 'Atomic', 'Replay'];
    t.deepEqual(
      kinds,
      [...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
    );
    t.deepEqual(sorted(kinds), sorted(order.filter((kind) => kind !== 'ARGV' || body.includes('ARGV'))));
  });

  test(`lua ${file}: KEYS and ARGV -> documented with a type, and used, each`, (t) => {
    const bound = Object.values(SCRIPTS).find((script) => `${script.file}.lua` === file)?.keys ?? 0;
    const keys = Array.from({ length: bound }, (_, n) => `KEYS[${n + 1}]`);
    t.deepEqual(sorted(all(text, /^-- (KEYS\[\d+\]) \S+\s+(?:string|integer|list)\s+\S/gm)), keys);
    t.deepEqual(sorted(all(body, /(KEYS\[\d+\])/g)), keys);
    t.deepEqual(
      sorted(all(text, /^-- (ARGV\[\d+\]) \S+\s+(?:string|integer)\s+\S/gm)),
      sorted(all(body, /(ARGV\[\d+\])/g)),
    );
  });

  test(`lua ${file}: statuses returned -> exactly those in the Returns lines`, (t) => {
    const documented = sorted(all(text, /^-- Returns \{?'(\w+)'/gm));
    t.deepEqual(sorted(all(body, /return \{? ?'(\w+)'/g)), documented);
  });

  test(`lua ${file}: KEYS and ARGV -> given names once, at the top`, (t) => {
    const [top = '', ...rest] = body.split('\n\n');
    t.true(top.includes('KEYS[1]'));
    t.false(rest.join('').includes('KEYS['));
    t.false(rest.join('').includes('ARGV['));
  });
}
