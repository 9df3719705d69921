/**
 * `make docs`: writes the tables of the documentation that follow from a catalogue of the code.
 *
 *     tsx dev/docs.ts [--check]
 *
 * --check  writes nothing; exits with 1 when a page is not as it would be written
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { generatedBlocks } from './docs/blocks.js';
import { fill } from './docs/fill.js';

const ROOT = new URL('../../', import.meta.url);
const check = process.argv.includes('--check');

/** First line that differs. */
function firstDifference(page: string, filled: string): number {
  const lines = filled.split('\n');
  return page.split('\n').findIndex((line, index) => line !== lines[index]) + 1;
}

for (const [path, blocks] of generatedBlocks()) {
  const file = new URL(path, ROOT);
  const page = readFileSync(file, 'utf8');
  const filled = fill(page, blocks);
  if (filled === page) continue;
  if (check) {
    process.exitCode = 1;
    process.stderr.write(
      `${path}:${firstDifference(page, filled)} is not what the code says: run make docs\n`,
    );
  } else {
    writeFileSync(file, filled);
    process.stderr.write(`${path} is written\n`);
  }
}
