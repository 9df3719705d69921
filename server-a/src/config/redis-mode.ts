/** What the variables of Redis must be together. */
import type { Environment } from './environment.js';
import type { AddFault } from './faults.js';
import { credentialsOf, urlsOf } from './urls.js';

/** Reports what does not fit REDIS_MODE. */
export function checkRedisMode(env: Environment, add: AddFault): void {
  const fault = (variable: string, message: string): void => add({ variable, path: '', message });
  const urls = urlsOf(env.REDIS_URL);
  if (env.REDIS_MODE === 'single' && urls.length > 1) {
    fault('REDIS_URL', 'must be one URL, or REDIS_MODE sentinel or cluster');
  }
  if (env.REDIS_MODE === 'cluster' && databaseOf(env.REDIS_URL) !== 0) {
    fault('REDIS_URL', 'must name database 0, the only one of a cluster');
  }
}

/** Returns what of the variables is not used in this mode, or weak: variable and message. */
export function redisModeWarnings(env: Environment): (readonly [variable: string, message: string])[] {
  const urls = urlsOf(env.REDIS_URL);
  const [first = ''] = urls;
  const warnings: (readonly [string, string])[] = [];
  if (env.REDIS_MODE !== 'sentinel') {
    for (const name of ['REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'] as const) {
      if (env[name] !== '') warnings.push([name, `is not used: REDIS_MODE is ${env.REDIS_MODE}`]);
    }
  }
  if (env.REDIS_MODE === 'single') return warnings;
  if (urls.length === 1) {
    warnings.push(['REDIS_URL', 'names one node: while that one is away, no gateway can start']);
  }
  const login = JSON.stringify(credentialsOf(first) ?? null);
  const others = urls.slice(1).filter((url) => credentialsOf(url) !== undefined);
  if (others.some((url) => JSON.stringify(credentialsOf(url)) !== login)) {
    warnings.push([
      'REDIS_URL',
      'has users or passwords that are ignored: those of its first URL hold for all',
    ]);
  }
  if (urls.some((url) => databaseOf(url) !== 0 && databaseOf(url) !== databaseOf(first))) {
    warnings.push(['REDIS_URL', 'names databases that are ignored: that of its first URL holds for all']);
  }
  return warnings;
}

/** Number of the database that the first URL names. */
export function databaseOf(value: string): number {
  const [first = value] = urlsOf(value);
  return Number(new URL(first).pathname.replace('/', '') || 0);
}
