/** What the options of the command line print, and with which exit code. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { runCommandLine } from '../../../src/command-line/run.js';
import { ENVIRONMENT, FILE_VARIABLES, JSON_VARIABLES } from '../../../src/config/environment.js';
import { ConfigError } from '../../../src/config/faults.js';
import { configOf, many, PROVIDERS } from '../../support/configs.js';
import { parseObject } from '../../support/json.js';

const run = (...words: string[]) => runCommandLine(words, () => configOf(many(2)));
const linesOf = (text = '') => text.split('\n');

test('command line: no option -> serves', (t) => t.is(run(), undefined));

for (const words of [
  ['--nonsense'],
  ['serve'],
  ['--check-config=yes'],
  ['-x'],
  ['--check-config', '--nonsense'],
]) {
  test(`command line: ${words.join(' ')} -> exit 2, a sentence on stderr`, (t) => {
    const outcome = run(...words);
    t.is(outcome?.exitCode, 2);
    t.is(outcome?.stdout, '');
    t.regex(outcome?.stderr ?? '', /\nTry --help\.\n$/);
  });
}

const BEFORE = {
  'key-of-financial-service': { name: 'Financial Service' },
  'key-of-a-client-that-goes': { name: 'Gone' },
};
const AFTER = {
  'key-of-financial-service': { name: 'Financial Service', daily_quota: 10, is_active: false },
  'alerts-of-the-new-client': { name: 'Alerts', id: 'alerts', not_after: '2099-01-31T00:00:00Z' },
};

test('command line: --check-config --clients --providers --diff -> read instead; only the differences, no key', (t) => {
  const asked: unknown[] = [];
  const outcome = runCommandLine(
    ['--check-config', '--clients', 'c.json', '--providers', 'p.json', '--diff'],
    (instead = {}) => {
      asked.push(instead);
      if (Object.keys(instead).length === 0) return configOf(BEFORE);
      return configOf(AFTER, {}, { ...PROVIDERS, Alpha: { is_active: false, is_operational: true } });
    },
  );
  t.deepEqual(asked, [
    {
      CLIENT_CONFIG: '',
      CLIENT_CONFIG_FILE: 'c.json',
      PROVIDERS_CONFIG: '',
      PROVIDERS_CONFIG_FILE: 'p.json',
    },
    {},
  ]);
  t.is(outcome?.exitCode, 0);
  t.deepEqual(linesOf(outcome?.stdout), [
    'The configuration is valid.',
    '',
    'Clients and providers that change (+ new, - gone, ~ other):',
    '  ~ client "Financial Service": active yes -> no',
    '  ~ client "Financial Service": daily quota 9 -> 10',
    '  - client "Gone"',
    '  + client "Alerts"',
    '  - API key key-of*** of client "Gone"',
    '  + API key alerts*** of client "Alerts"',
    '  ~ provider "Alpha": active yes -> no',
    '  ~ provider "Alpha": aliases "First", "alpha-sms" -> none',
    '',
  ]);
});

test('command line: --diff of what is configured already -> says that nothing changes', (t) => {
  const { stdout = '' } = runCommandLine(['--check-config', '--diff'], () => configOf(BEFORE)) ?? {};
  t.true(stdout.includes('Clients and providers stay as they are.'));
});

test('command line: --diff where the present configuration is not valid -> says so; the candidate is checked', (t) => {
  const outcome = runCommandLine(['--check-config', '--clients', 'c.json', '--diff'], (instead = {}) => {
    if (Object.keys(instead).length === 0) throw new ConfigError([]);
    return configOf(AFTER);
  });
  t.is(outcome?.exitCode, 0);
  t.true(outcome?.stdout.includes('What is configured now is not valid'));
});

test('command line: --check-config with a candidate that cannot be read -> a fault of the option', (t) => {
  const unread = (variable: string) => ({
    variable,
    path: '',
    message: 'names a file that cannot be read (ENOENT)',
  });
  const outcome = runCommandLine(['--check-config', '--clients', 'c.json'], () => {
    throw new ConfigError([unread('CLIENT_CONFIG_FILE'), unread('PROVIDERS_CONFIG_FILE')]);
  });
  t.deepEqual(linesOf(outcome?.stderr).slice(1), [
    '  --clients names a file that cannot be read (ENOENT)',
    '  PROVIDERS_CONFIG_FILE names a file that cannot be read (ENOENT)',
    '',
  ]);
});

for (const words of [['--diff'], ['--clients', 'c.json'], ['--check-config', '--clients']]) {
  test(`command line: ${words.join(' ')} -> exit 2, and does not serve`, (t) => {
    t.is(run(...words)?.exitCode, 2);
  });
}

test('command line: --help -> every option, every variable with its default, no line over 110 columns', (t) => {
  for (const words of [['--help'], ['-h'], ['--check-config', '--version', '--help']]) {
    const { stdout = '', ...rest } = run(...words) ?? {};
    t.deepEqual(rest, { stderr: '', exitCode: 0 });
    const lines = linesOf(stdout);
    for (const option of ['--check-config', '--help', '--version']) {
      t.true(
        lines.some((line) => line.includes(` ${option} `)),
        option,
      );
    }
    for (const name of [...Object.keys(JSON_VARIABLES), ...FILE_VARIABLES.map((file) => `${file}_FILE`)]) {
      t.is(lines.filter((line) => line.startsWith(`  ${name} `)).length, 1, name);
    }
    // Without its line breaks, for what is too long for one line.
    const flat = stdout.replaceAll(/\s+/g, ' ');
    for (const [name, field] of Object.entries(ENVIRONMENT.describe().fields)) {
      const { fallback, help = '' } = 'meta' in field ? (field.meta ?? {}) : {};
      t.true(flat.includes(` ${name} ${help}${fallback === undefined ? '' : ` [${fallback}]`}`), name);
    }
    t.deepEqual(
      lines.filter((line) => line.length > 110),
      [],
    );
  }
});

test('command line: --version -> name and version of package.json', (t) => {
  const packageJson = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { name, version } = parseObject(packageJson);
  for (const option of ['--version', '-v']) {
    t.deepEqual(run(option), { stdout: `${name} ${version}\n`, stderr: '', exitCode: 0 });
  }
});

test('command line: --check-config, valid -> exit 0, the summary on stdout', (t) => {
  const { stdout = '', stderr, exitCode } = run('--check-config') ?? {};
  t.is(exitCode, 0);
  t.is(stderr, '');
  const [first, ...lines] = linesOf(stdout);
  t.is(first, 'The configuration is valid.');
  t.true(lines.includes('  Client 0  key-***  yes     9'), stdout);
  t.true(lines.includes('  Alpha  yes     yes          First, alpha-sms'));
});

test('command line: --check-config, valid and doubtful -> exit 0, warnings on stderr', (t) => {
  const outcome = runCommandLine(['--check-config'], () => configOf({}));
  t.is(outcome?.exitCode, 0);
  t.is(outcome?.stderr, '\nWarnings:\n  CLIENT_CONFIG has no active client: every request is answered 401\n');
});

test('command line: --check-config, not valid -> exit 1, every fault on stderr, nothing on stdout', (t) => {
  const outcome = runCommandLine(['--check-config'], () => {
    throw new ConfigError([
      { variable: 'ONE', path: '', message: 'is wrong' },
      { variable: 'TWO', path: '[client 3].name', message: 'is wrong as well' },
    ]);
  });
  t.deepEqual(outcome, {
    stdout: '',
    stderr: 'The configuration is not valid:\n  ONE is wrong\n  TWO[client 3].name is wrong as well\n',
    exitCode: 1,
  });
});

test('command line: --check-config, a failure that is no fault of the configuration -> thrown', (t) => {
  t.throws(
    () =>
      runCommandLine(['--check-config'], () => {
        throw new TypeError('unforeseen');
      }),
    { instanceOf: TypeError },
  );
});
