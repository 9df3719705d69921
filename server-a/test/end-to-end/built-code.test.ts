/** What `npm run build` makes, by itself: in the image there is nothing else. */
import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { GatewayProcess, type Variables } from '../../dev/services/gateway-process.js';
import { PROVIDERS } from '../support/configs.js';
import { asObject, parseObject } from '../support/json.js';
import { parseLines } from '../support/log-lines.js';

const SERVER_A = fileURLToPath(new URL('../../', import.meta.url));

/** The folders and the file that the image has of server-a/, where no node_modules/ is above them. */
async function newCopy(t: ExecutionContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'gateway-built-')));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const part of ['dist', 'lua', 'package.json']) {
    await cp(join(SERVER_A, part), join(folder, part), { recursive: true });
  }
  return folder;
}

/** Runs it to its end. */
async function run(folder: string, args: readonly string[], variables: Variables = {}) {
  const child = await GatewayProcess.start(variables, { entryPoint: join(folder, 'dist/main.js'), args });
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Enough to start with, if anybody were there. */
const VARIABLES: Variables = {
  REDIS_URL: 'redis://127.0.0.1:1/0',
  RABBITMQ_URL: 'amqp://127.0.0.1:1/',
  SERVER_A_PORT: '0',
  CLIENT_CONFIG: JSON.stringify({ 'key-of-one': { name: 'One', is_active: true, daily_quota: 5 } }),
  PROVIDERS_CONFIG: JSON.stringify(PROVIDERS),
};

test('dist/, lua/ and package.json alone -> all packages are found', async (t) => {
  const { code, stdout, stderr } = await run(await newCopy(t), ['--version']);
  const { version } = parseObject(await readFile(join(SERVER_A, 'package.json'), 'utf8'));
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `server-a ${version}\n`, stderr: '' });
});

test('an error that is logged -> its stack names files and lines of src/', async (t) => {
  const folder = await newCopy(t);
  await rm(join(folder, 'lua/admit.lua'));
  const { code, stdout } = await run(folder, [], VARIABLES);
  t.is(code, 1);
  const line = parseLines(stdout).find(({ message }) => message === 'gateway.not_started');
  const { stack } = asObject(line?.['err']);
  const [, file = '', number] = /at readScript \((src\/[\w/-]+\.ts):(\d+):\d+\)/.exec(String(stack)) ?? [];
  t.is(file, 'src/redis/script-files.ts', stdout);
  const lines = (await readFile(join(SERVER_A, file), 'utf8')).split('\n');
  t.regex(lines[Number(number) - 1] ?? '', /readFileSync\(packageFile/);
});

test('without the source map -> the error is logged all the same, with the lines of dist/main.js', async (t) => {
  const folder = await newCopy(t);
  await rm(join(folder, 'lua/admit.lua'));
  await rm(join(folder, 'dist/main.js.map'));
  const { stdout } = await run(folder, [], VARIABLES);
  const line = parseLines(stdout).find(({ message }) => message === 'gateway.not_started');
  t.regex(String(asObject(line?.['err'])['stack']), /at readScript \(\S+\/dist\/main\.js:\d+:\d+\)/);
});

test('licences: every package that src/ imports is named, and what it is made of', async (t) => {
  const text = await readFile(join(SERVER_A, 'dist/node_modules/LICENCES.txt'), 'utf8');
  const { dependencies } = parseObject(await readFile(join(SERVER_A, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(asObject(dependencies)), 'redis-parser', '@opentelemetry/api']) {
    t.regex(text, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+: \\S`, 'm'));
  }
});
