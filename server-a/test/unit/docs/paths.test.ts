/** Files that the pages name, between backticks, are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
/** Where a page's paths may begin. */
const BEGINNINGS = ['', 'server-a/', 'server-a/src/', 'server-a/test/', 'docs/'];
/** What a command makes. */
const MADE = /^(?:secrets|server-a\/(?:dist|bench-results))\//;
const PATH = /`([\w.-]+(?:\/[\w.-]+)+\.(?:ts|lua|sh|yml|yaml|json|md))`/g;

const pages = ['README.md', 'CONTRIBUTING.md', 'server-a/README.md'].concat(
  readdirSync(`${ROOT}docs`)
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
);

test('pages: each path between backticks -> leads to a file', (t) => {
  let found = 0;
  for (const page of pages) {
    for (const [, path = ''] of readFileSync(`${ROOT}${page}`, 'utf8').matchAll(PATH)) {
      if (MADE.test(path)) continue;
      found += 1;
      t.true(
        BEGINNINGS.some((beginning) => existsSync(`${ROOT}${beginning}${path}`)),
        `${page} names ${path}`,
      );
    }
  }
  t.true(found > 50, `${found} paths`);
});
