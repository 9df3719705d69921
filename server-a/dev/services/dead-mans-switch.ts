import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A clean-up that runs only if this process ends without calling {@link DeadMansSwitch.disarm}. */
export interface DeadMansSwitch {
  /** Takes the clean-up back: it will never run. */
  disarm(): void;
}

/**
 * Runs a shell script when this process ends in whatever way, SIGKILL included, unless disarmed before.
 *
 * A small shell waits for the end of a pipe that only this process holds open: the kernel closes the pipe
 * with the process, so no handler has to run here. The shell is in a session of its own, so that a Ctrl-C or
 * a signal to the caller's process group does not end it first. It does not keep this process alive.
 * @param script POSIX shell; its `$1`, `$2`, … are `args`. Errors are ignored.
 * @throws Error when `sh` cannot be started.
 */
export async function armDeadMansSwitch(script: string, args: readonly string[]): Promise<DeadMansSwitch> {
  const shell = spawn('sh', ['-c', `cat >/dev/null; ${script}`, 'dead-mans-switch', ...args], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // Somewhere that outlives the data directory, which the script may delete.
    cwd: '/',
  });
  await once(shell, 'spawn');
  shell.unref();
  shell.stdin.on('error', () => undefined);
  return {
    disarm() {
      const { pid } = shell;
      if (pid !== undefined && shell.exitCode === null && shell.signalCode === null)
        signalGroup(pid, 'SIGKILL');
    },
  };
}

/**
 * Sends a signal to a whole process group; does nothing if the group is gone.
 * @param signal 0 only asks whether the group exists.
 * @returns whether the group still had a process.
 */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-groupId, signal);
  } catch {
    return false;
  }
}
