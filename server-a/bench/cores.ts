/** Which core the measured server runs on. The others carry everything else: load, Redis, RabbitMQ. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

const count = cpus().length;
const hasTaskset = ((): boolean => {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** The server's core, as `taskset` names it; undefined = the server shares what there is with everything else. */
export const SERVER_CORE: string | undefined = hasTaskset && count > 1 ? String(count - 1) : undefined;

/** Says in one sentence how the cores are shared. */
export const HOW_SHARED: string =
  SERVER_CORE !== undefined
    ? `The server has core ${SERVER_CORE} to itself; load, Redis and RabbitMQ have the other ${count - 1}.`
    : `Not pinned (${hasTaskset ? 'one core' : 'no taskset'}): the server shares ${count} core(s) with load, Redis and RabbitMQ.`;

/** Moves this process, and all that it starts from now on, to the cores that are not the server's. */
export function leaveServerCore(): void {
  if (SERVER_CORE === undefined) return;
  const others = count === 2 ? '0' : `0-${count - 2}`;
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', others, String(process.pid)], {
    stdio: 'ignore',
  });
}
