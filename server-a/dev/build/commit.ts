import { execFileSync } from 'node:child_process';

/**
 * Returns the commit that is built, which the gateway shows in its metrics. An image is built without the repository's
 * history: whoever builds it sets COMMIT.
 */
export function commit(): string {
  const given = process.env['COMMIT'] ?? '';
  if (given !== '') return given;
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
