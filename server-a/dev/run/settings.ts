import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/** The gateway's environment, and what it says of the two services. */
export interface Settings {
  /** All variables in effect: the real environment wins over the file. */
  readonly env: NodeJS.ProcessEnv;
  /** Where to change them: `.env`, or `.env.example` where there is no `.env`. */
  readonly file: string;
  /**
   * Address of a service that somebody chose, or undefined. The addresses of `.env.example` are nobody's
   * choice: they are host names inside Docker Compose.
   */
  chosenUrl(variable: ServiceVariable): string | undefined;
}

/** Variables that hold the address of a service. */
export type ServiceVariable = 'REDIS_URL' | 'RABBITMQ_URL';

/**
 * Lays `.env`, if there is one, over `.env.example`, and the real environment over both, as docker-compose.yml
 * does. A `<NAME>_FILE` in one of them takes the place of a `<NAME>` below.
 * @param root folder of the repository.
 * @throws Error when there is no `.env.example`.
 */
export async function readSettings(root: string): Promise<Settings> {
  const example = parseEnv(await readFile(join(root, '.env.example'), 'utf8'));
  const own = await readFile(join(root, '.env'), 'utf8').then(parseEnv, () => undefined);
  const chosen: NodeJS.ProcessEnv = { ...own };
  for (const name of Object.keys(example)) if (chosen[name] === example[name]) delete chosen[name];
  Object.assign(chosen, process.env);
  const env = over(over(example, own ?? {}), process.env);
  return {
    env,
    file: own === undefined ? '.env.example' : '.env',
    chosenUrl: (variable) => chosen[variable],
  };
}

function over(below: NodeJS.ProcessEnv, above: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const result = { ...below, ...above };
  for (const name of Object.keys(below)) {
    // Empty, not absent: the gateway reads .env as well, and fills in what is absent.
    if (above[`${name}_FILE`] && !above[name]) result[name] = '';
  }
  return result;
}
