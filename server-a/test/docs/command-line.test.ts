/** What server-a/README.md says of the command line is what the options print. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import test from 'ava';
import { OPTIONS } from '../../src/command-line/arguments.js';
import { runCommandLine } from '../../src/command-line/run.js';
import { loadConfig } from '../../src/config/load.js';
import { codeBlocks, tableUnder } from '../support/markdown.js';

const ROOT = new URL('../../../', import.meta.url);
const readme = readFileSync(new URL('server-a/README.md', ROOT), 'utf8');
const example = parseEnv(readFileSync(new URL('.env.example', ROOT), 'utf8'));
const [valid, notValid] = codeBlocks(readme).filter(({ text }) => text.startsWith('The configuration is'));

const check = (variables: Readonly<Record<string, string>> = {}) =>
  runCommandLine(['--check-config'], () => loadConfig({ ...example, ...variables }));

test('server-a/README: --check-config with .env.example -> printed as documented', (t) => {
  t.is(check()?.stdout, `${valid?.text}\n`);
});

test('server-a/README: --check-config with faults -> printed as documented', (t) => {
  const outcome = check({
    SERVER_A_PORT: '80a',
    REDIS_TLS_CA_FILE: '/not/there',
    CLIENT_CONFIG: '{"key":{"name":"One","is_active":true,"daily_quota":1.5}}',
  });
  t.is(outcome?.stderr, `${notValid?.text}\n`);
});

test('server-a/README: table of options -> the options that there are', (t) => {
  const documented = tableUnder(readme, 'Command line').map(({ option }) => option);
  const options = Object.entries(OPTIONS).map(([name, option]) =>
    'short' in option ? `-${option.short}, --${name}` : `--${name}`,
  );
  t.deepEqual(documented, ['', ...options, 'any other']);
});
