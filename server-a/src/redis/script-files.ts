/** The Lua scripts as commands of a Redis client: which files they are, and how `-- @include` lines are resolved. */
import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';
import { packageFile } from '../package-files.js';

/** Keys and words in the order of the script's header, behind the number of keys. */
type OfManyKeys = [keys: number, ...keysAndWords: (string | number)[]];

/** Arguments of each command. */
export interface ScriptArguments {
  readonly admit: OfManyKeys;
  readonly refuse: OfManyKeys;
  readonly settle: OfManyKeys;
  readonly quotaConsume: OfManyKeys;
  readonly quotaRefund: [counterKey: string];
  readonly lookUp: [recordKey: string];
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    admit(...args: ScriptArguments['admit']): Result<unknown, Context>;
    refuse(...args: ScriptArguments['refuse']): Result<unknown, Context>;
    settle(...args: ScriptArguments['settle']): Result<unknown, Context>;
    quotaConsume(...args: ScriptArguments['quotaConsume']): Result<unknown, Context>;
    quotaRefund(...args: ScriptArguments['quotaRefund']): Result<unknown, Context>;
    lookUp(...args: ScriptArguments['lookUp']): Result<unknown, Context>;
  }
}

/**
 * Scripts by the command that they define: their file, and how many keys they take (all of one slot); undefined = as many
 * as the command's first argument says.
 */
export const SCRIPTS = {
  admit: { file: 'admit', keys: undefined },
  refuse: { file: 'refuse', keys: undefined },
  settle: { file: 'settle', keys: undefined },
  quotaConsume: { file: 'quota_consume', keys: undefined },
  quotaRefund: { file: 'quota_refund', keys: 1 },
  lookUp: { file: 'look_up', keys: 1 },
} as const;

const INCLUDE = /^-- @include (\w+)$/gm;

/**
 * Returns a script's text with each `-- @include name` line replaced by lua/functions/name.lua, in the order of the
 * lines. Functions include nothing themselves, so what a script is made of stands in its own header.
 *
 * @throws Error when a file is missing
 */
export function readScript(file: string): string {
  return readFileSync(packageFile(`lua/${file}.lua`), 'utf8').replace(INCLUDE, (_line, name: string) =>
    readFileSync(packageFile(`lua/functions/${name}.lua`), 'utf8'),
  );
}

/** Adds the scripts to a client as commands. ioredis sends EVALSHA, and the text again where Redis has lost it. */
export function defineScripts(redis: Pick<Redis, 'defineCommand'>): void {
  for (const [command, { file, keys }] of Object.entries(SCRIPTS)) {
    const lua = readScript(file);
    redis.defineCommand(command, keys === undefined ? { lua } : { lua, numberOfKeys: keys });
  }
}

/** Loads the scripts into a Redis before they are called. @throws what Redis or the connection answers */
export async function loadScripts(redis: Pick<Redis, 'script'>): Promise<void> {
  const files = new Set(Object.values(SCRIPTS).map(({ file }) => file));
  await Promise.all([...files].map((file) => redis.script('LOAD', readScript(file))));
}
