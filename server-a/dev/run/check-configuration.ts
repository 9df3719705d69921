import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/**
 * Has the gateway check its configuration; it says every fault on stderr.
 * @param root folder of the repository, and the gateway's working directory.
 * @returns whether it would start.
 */
export async function checkConfiguration(root: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn(process.execPath, ['server-a/dist/main.js', '--check-config'], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = await text(child.stderr);
  if (child.exitCode === null) await once(child, 'exit');
  // Warnings come again with the start.
  if (child.exitCode !== 0) process.stderr.write(said);
  return child.exitCode === 0;
}
