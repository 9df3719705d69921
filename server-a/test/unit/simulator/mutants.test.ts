/** The simulator's mutants still fit the code: `make mutants` runs them, which takes its time. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { mutants } from '../../simulator/mutants.js';

const SERVER_A = fileURLToPath(new URL('../../../', import.meta.url));

test('mutants: the patch of each -> still applies', (t) => {
  t.true(mutants().length > 40);
  for (const { name, path } of mutants()) {
    // Where git sees a repository, it takes the paths of a patch for paths below the current folder.
    const { stderr } = spawnSync('git', ['apply', '--check', '-p1', path], {
      cwd: SERVER_A,
      encoding: 'utf8',
    });
    t.is(stderr, '', name);
  }
});
