/** A file that does not fit on a few screens says at its top why it is one file. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SERVER_A = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['src', 'lua', 'dev', 'bench', 'test'];
const MOST_LINES = 250;
/** The reason stands in the comment that the file begins with. */
const REASON = /^\/\*\*(?:(?!\*\/)[\s\S])*\bOver 250 lines: \S/;

test(`files of more than ${MOST_LINES} lines -> each says why it is one file`, (t) => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(SERVER_A, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|lua|js)$/.test(file))
      .map((file) => join(folder, file)),
  );
  t.true(files.length > 300);
  for (const file of files) {
    const text = readFileSync(join(SERVER_A, file), 'utf8');
    const lines = text.split('\n').length - 1;
    if (lines > MOST_LINES) t.regex(text, REASON, `${file} has ${lines} lines`);
  }
});
