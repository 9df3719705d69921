/**
 * Tests that need neither Redis nor RabbitMQ nor a build: `npm run unit`. The other tests are configured in ava.config.js.
 *
 * Unless a file is named, or watched, the files are dealt out to one process for each core. AVA would start one for each
 * file, and most of the time of a unit test is the start of its process. One by one in each, since some tests replace the
 * clock of the process for a moment.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const FOLDER = new URL('test/unit/', import.meta.url);

const eachFileAlone = process.argv.some((argument) => /\.test\.ts|^-w$|^--watch$/.test(argument));

/** Writes the files that import the tests' files: `all-1-of-2.ts`, … Returns their paths. */
function dealtOut() {
  const processes = availableParallelism();
  const tests = readdirSync(FOLDER, { recursive: true }).filter((file) => file.endsWith('.test.ts'));
  return Array.from({ length: processes }, (_, index) => {
    const name = `all-${index + 1}-of-${processes}.ts`;
    const imports = tests.filter((_file, place) => place % processes === index);
    const text = imports.map((file) => `import './${file}';\n`).join('');
    const path = new URL(name, FOLDER);
    // Another run may be reading it.
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
    return `test/unit/${name}`;
  });
}

export default {
  files: eachFileAlone ? ['test/unit/**/*.test.ts'] : dealtOut(),
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  workerThreads: false,
  serial: true,
  // Without a finished test: a busy machine may leave a process without a core for long.
  timeout: '120s',
};
