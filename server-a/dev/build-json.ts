/** Part of `npm run build`: writes the commit that is built as dist/build.json, which the gateway shows in its metrics. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** An image is built without the repository's history: whoever builds it sets COMMIT. */
function commit(): string {
  const given = process.env['COMMIT'] ?? '';
  if (given !== '') return given;
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

writeFileSync(new URL('../dist/build.json', import.meta.url), JSON.stringify({ commit: commit() }));
