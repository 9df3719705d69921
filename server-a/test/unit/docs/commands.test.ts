import { readFileSync } from 'node:fs';
import test from 'ava';
import { documentedCommands } from '../../../dev/docs/commands.js';

const PAGE = `
\`\`\`sh
make check   # format and more
npm run unit -- --match='a*'
npm run unit -- --watch
sudo apt-get install redis-server rabbitmq-server openssl
\`\`\`

\`\`\`sh
cd server-a
npx tsx dev/with-services.ts bash
\`\`\`

\`\`\`text
not a command
\`\`\`
`;

test('documented commands: a page -> one a line without its comment, and how each is run', (t) => {
  const commands = documentedCommands(PAGE);
  t.deepEqual(
    commands.map(({ text }) => text),
    [
      'make check',
      "npm run unit -- --match='a*'",
      'npm run unit -- --watch',
      'sudo apt-get install redis-server rabbitmq-server openssl',
      'cd server-a\nnpx tsx dev/with-services.ts bash',
    ],
  );
  t.deepEqual(
    commands.map(({ run }) => run),
    [true, true, true, false, true],
  );
  t.true(commands[2]?.run === true && commands[2].until?.test('12 tests passed\nType `r` and more') === true);
  t.like(commands[4], { input: 'exit\n' });
});

test('CONTRIBUTING: its commands -> are found, and most are run', (t) => {
  const commands = documentedCommands(
    readFileSync(new URL('../../../../CONTRIBUTING.md', import.meta.url), 'utf8'),
  );
  t.true(commands.filter(({ run }) => run).length >= 10);
  // What is named as shown elsewhere and is no longer documented would be left behind.
  t.is(commands.filter(({ run }) => !run).length, 3);
});
