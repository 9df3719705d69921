/** What a process has written of its log when it is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { parseObject } from '../support/json.js';

/** Numbers of the lines that a process had written when it was killed in the same turn as it logged them. */
async function writtenBefore(death: string): Promise<unknown[]> {
  const module = new URL('../../src/logging/log.ts', import.meta.url).href;
  const script = `
    import { createLogging } from '${module}';
    const { log, flush } = createLogging('a-service', 'info');
    for (let i = 0; i < 5; i += 1) log.info({ i }, 'part.happened');
    ${death}
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const lines = (await text(child.stdout)).split('\n').slice(0, -1);
  // Anything else means that the process never came to its logging.
  const [, signal] = await closed;
  if (signal !== 'SIGKILL') throw new Error('the process ended before its logging');
  return lines.map((line) => parseObject(line)['i']);
}

test('log: flushed, then killed -> every line is there', async (t) => {
  t.deepEqual(await writtenBefore('flush();'), [0, 1, 2, 3, 4]);
});

test('log: killed within the turn, not flushed -> nothing was written line by line', async (t) => {
  t.deepEqual(await writtenBefore(''), []);
});
