/** Every relative link of the documentation leads somewhere: to a file, and to a heading of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { anchorsIn, linksIn } from '../../support/markdown.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
/** Folders that hold nothing of ours; those whose names begin with a dot are left out as well. */
const FOREIGN = new Set(['node_modules', 'dist', 'coverage']);

const pages = markdownFiles(ROOT);

test('pages: the ones that a newcomer looks for -> are there', (t) => {
  const found = new Set(pages.map((page) => relative(ROOT, page)));
  for (const page of [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'docs/architecture.md',
    'server-a/README.md',
    'server-b/README.md',
    'frontend/README.md',
  ]) {
    t.true(found.has(page), `${page} is missing`);
  }
});

for (const page of pages) {
  test(`links: ${relative(ROOT, page)} -> all lead somewhere`, (t) => {
    const broken = linksIn(readFileSync(page, 'utf8')).flatMap(({ line, target }) => {
      const fault = faultOf(page, target);
      return fault === undefined ? [] : [`line ${line}: ${target} (${fault})`];
    });
    t.deepEqual(broken, []);
  });
}

function markdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return entry.name.startsWith('.') || FOREIGN.has(entry.name) ? [] : markdownFiles(path);
    }
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Why a link leads nowhere; undefined = it does, or leaves the repository. */
function faultOf(page: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : resolve(dirname(page), decodeURIComponent(path));
  if (!existsSync(file)) return 'no such file';
  if (anchor === undefined) return undefined;
  if (!file.endsWith('.md')) return 'anchors are looked for in Markdown only';
  return anchorsIn(readFileSync(file, 'utf8')).has(anchor) ? undefined : 'no such heading';
}
