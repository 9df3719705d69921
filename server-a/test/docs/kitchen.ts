/** Runs the commands of docs/recipes.md as they are written: `docker` is a stand-in that reaches the services of the tests. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRabbitMqServer } from '../../dev/services/rabbitmq-server.js';
import { codeBlocks, sectionsOf } from '../support/markdown.js';
import { Site } from '../support/site.js';
import { writeStandIns } from '../support/stand-ins.js';
import { REDIS_URL } from '../support/test-services.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** The sections of the page. */
export const recipes = sectionsOf(readFileSync(join(ROOT, 'docs/recipes.md'), 'utf8'), 'Recipes');
/** Where the commands run. */
export const folder = await mkdtemp(join(tmpdir(), 'gateway-test-recipes-'));
const config = join(folder, 'config');

/** A broker of its own, because the recipes name queues. */
export const rabbitmq = await startRabbitMqServer({ dataDir: join(folder, 'rabbitmq') });

export const site = new Site({
  clients: { main: { daily_quota: 1000 } },
  variables: { RABBITMQ_URL: rabbitmq.url, RABBITMQ_OUTBOUND_QUEUE: 'sms.outbound' },
});
/** Of clients and providers. */
export const files = { clients: join(config, 'clients.json'), providers: join(config, 'providers.json') };
await mkdir(config);
await writeFile(files.clients, site.variables.CLIENT_CONFIG);
await writeFile(files.providers, site.variables.PROVIDERS_CONFIG);
/** The gateway that the recipes are for. */
export const gateway = await site.startGateway({
  CLIENT_CONFIG: '',
  PROVIDERS_CONFIG: '',
  CLIENT_CONFIG_FILE: files.clients,
  PROVIDERS_CONFIG_FILE: files.providers,
});

await writeStandIns(join(folder, 'bin'), gateway.port);

/** Ends all of it. */
export async function closeKitchen(): Promise<void> {
  await gateway.stop();
  await site.redis.quit();
  await rabbitmq.kill();
  await rm(folder, { recursive: true, force: true });
}

/** Runs the commands of a recipe, in order, and returns what each has printed. @param only some of its blocks, by index */
export async function cook(
  title: string,
  variables: Readonly<Record<string, string>> = {},
  only?: readonly number[],
): Promise<string[]> {
  const recipe = recipes.find((one) => one.title === title);
  if (recipe === undefined) throw new Error(`no recipe ${title}`);
  const log = join(folder, 'log');
  await writeFile(log, gateway.process.stdout);
  const printed: string[] = [];
  const blocks = codeBlocks(recipe.text).filter(({ language }) => language === 'sh');
  for (const { text } of only === undefined ? blocks : blocks.filter((_, index) => only.includes(index))) {
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', text], {
      cwd: folder,
      env: {
        ...site.variables,
        PATH: [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
        NODE_ENV: 'production',
        CLIENT_CONFIG: '',
        PROVIDERS_CONFIG: '',
        CLIENT_CONFIG_FILE: files.clients,
        PROVIDERS_CONFIG_FILE: files.providers,
        RABBITMQCTL: rabbitmq.ctlPath,
        REDIS: REDIS_URL,
        GATEWAY: String(gateway.process.pid),
        CONFIG: `${config}/`,
        LOG: log,
        DONE: join(folder, 'done'),
        OPERATIONS: String(gateway.port),
        ROOT,
        ...variables,
      },
    });
    printed.push(stdout + stderr);
  }
  return printed;
}

/** Messages in a queue, as the broker has last counted them. */
export async function messagesIn(queue: string): Promise<number> {
  const lines = (await rabbitmq.ctl('list_queues', 'name', 'messages')).split('\n');
  return Number(lines.find((line) => line.startsWith(`${queue}\t`))?.split('\t')[1]);
}
