/** Files that can never change while the process runs: those that are mounted by themselves. */
import { readFileSync, realpathSync } from 'node:fs';

/** What the kernel tells a process of its mounts; only Linux does. */
const MOUNTS = '/proc/self/mountinfo';
/** The mount point's place among the words of a line; see proc(5). */
const MOUNT_POINT = 4;

/**
 * Says which of these files are mount points. A mount holds on to the file that was there when the container started:
 * one that is put in its place, by an editor or a tool, is another file, and is never seen.
 *
 * @param paths files that exist; others are left out
 * @param mounts for tests: the content of the kernel's list
 */
export function mountedByThemselves(paths: readonly string[], mounts = readMounts()): string[] {
  const points = new Set(
    mounts
      .split('\n')
      .map((line) => line.split(' ')[MOUNT_POINT] ?? '')
      .map((point) => point.replaceAll(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8)))),
  );
  return paths.filter((path) => {
    const real = realPath(path);
    return real !== undefined && points.has(real);
  });
}

function readMounts(): string {
  try {
    return readFileSync(MOUNTS, 'utf8');
  } catch {
    return '';
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
