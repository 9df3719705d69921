/** The Lua scripts as commands of a Redis client: which files they are, and how `-- @include` lines are resolved. */
import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';

type Claim = [mark: string, owner: string, terms: string, limit: number, from: number, deadline: number];
type Ending = [
  ending: 'answered' | 'not_sent' | 'held' | 'unknown',
  owner: string,
  mark: string,
  durationMs: number,
  /** Left out where the attempt's admission has run. */
  ...deadline: [number] | [],
];
/** A script of a batch takes as many keys as its first argument says. */
type OfManyKeys = [keys: number, ...keysAndWords: (string | number)[]];
type Question = [digest: string, strict: number, from: number, deadline: number];
type StoredRefusal = [
  id: string,
  status: number,
  body: string,
  lifeMs: number,
  most: number,
  countLifeSeconds: number,
];
type Unit = [limit: number, lifeSeconds: number, from: number, deadline: number];

/** Arguments of each command, in the order of the script's header: keys first. */
export interface ScriptArguments {
  readonly admit: [recordKey: string, counterKey: string, ...Claim];
  /** The same script with a limit per second: the bucket is a key only where the client has such a limit. */
  readonly admitLimited: [
    recordKey: string,
    counterKey: string,
    bucketKey: string,
    ...Claim,
    perSecond: number,
  ];
  readonly settle: [recordKey: string, ...Ending];
  /** The same script with the counter: the counter is a key only where the script touches it. */
  readonly settleNotSent: [recordKey: string, counterKey: string, ...Ending];
  readonly refuse: [recordKey: string, ...Question];
  /** The same script with the refusal: the count of refusals is a key only where a refusal is to be stored. */
  readonly refuseStored: [recordKey: string, countKey: string, ...Question, ...StoredRefusal];
  readonly quotaConsume: [counterKey: string, ...Unit];
  readonly quotaConsumeLimited: [counterKey: string, bucketKey: string, ...Unit, perSecond: number];
  readonly quotaRefund: [counterKey: string];
  readonly lookUp: [recordKey: string];
  readonly admitBatch: OfManyKeys;
  readonly settleBatch: OfManyKeys;
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    admit(...args: ScriptArguments['admit']): Result<unknown, Context>;
    admitLimited(...args: ScriptArguments['admitLimited']): Result<unknown, Context>;
    settle(...args: ScriptArguments['settle']): Result<unknown, Context>;
    settleNotSent(...args: ScriptArguments['settleNotSent']): Result<unknown, Context>;
    refuse(...args: ScriptArguments['refuse']): Result<unknown, Context>;
    refuseStored(...args: ScriptArguments['refuseStored']): Result<unknown, Context>;
    quotaConsume(...args: ScriptArguments['quotaConsume']): Result<unknown, Context>;
    quotaConsumeLimited(...args: ScriptArguments['quotaConsumeLimited']): Result<unknown, Context>;
    quotaRefund(...args: ScriptArguments['quotaRefund']): Result<unknown, Context>;
    lookUp(...args: ScriptArguments['lookUp']): Result<unknown, Context>;
    admitBatch(...args: ScriptArguments['admitBatch']): Result<unknown, Context>;
    settleBatch(...args: ScriptArguments['settleBatch']): Result<unknown, Context>;
  }
}

/**
 * Scripts by the command that they define: their file, and how many keys they take (all of one slot); undefined = as many
 * as the command's first argument says.
 */
export const SCRIPTS = {
  admit: { file: 'admit', keys: 2 },
  admitLimited: { file: 'admit', keys: 3 },
  settle: { file: 'settle', keys: 1 },
  settleNotSent: { file: 'settle', keys: 2 },
  refuse: { file: 'refuse', keys: 1 },
  refuseStored: { file: 'refuse', keys: 2 },
  quotaConsume: { file: 'quota_consume', keys: 1 },
  quotaConsumeLimited: { file: 'quota_consume', keys: 2 },
  quotaRefund: { file: 'quota_refund', keys: 1 },
  lookUp: { file: 'look_up', keys: 1 },
  admitBatch: { file: 'admit_batch', keys: undefined },
  settleBatch: { file: 'settle_batch', keys: undefined },
} as const;

/** Found from src/ and from dist/ alike. */
const DIRECTORY = new URL('../../lua/', import.meta.url);
const INCLUDE = /^-- @include (\w+)$/gm;

/**
 * Returns a script's text with each `-- @include name` line replaced by lua/functions/name.lua, in the order of the
 * lines. Functions include nothing themselves, so what a script is made of stands in its own header.
 *
 * @throws Error when a file is missing
 */
export function readScript(file: string): string {
  return readFileSync(new URL(`${file}.lua`, DIRECTORY), 'utf8').replace(INCLUDE, (_line, name: string) =>
    readFileSync(new URL(`functions/${name}.lua`, DIRECTORY), 'utf8'),
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
