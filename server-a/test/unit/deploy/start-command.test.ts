/** How the gateway is started: by the image, by npm, and by tests and benchmarks. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { NODE_OPTIONS } from '../../../dev/services/gateway-process.js';
import { asObject, parseObject } from '../../support/json.js';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('start command: of the image -> the options of Node.js that tests and benchmarks start the gateway with', (t) => {
  const command: unknown = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(read('Dockerfile'))?.[1] ?? '');
  t.deepEqual(command, ['node', ...NODE_OPTIONS, 'server-a/dist/main.js']);
});

test('start command: npm start -> the same', (t) => {
  const { scripts } = parseObject(read('package.json'));
  t.is(asObject(scripts)['start'], ['node', ...NODE_OPTIONS, 'dist/main.js'].join(' '));
});
