/** What the gateway uses of a Redis client. */
import type { ScriptArguments } from './script-files.js';

/** The scripts as methods of a client. */
export type ScriptCommands = {
  readonly [Command in keyof ScriptArguments]: (...args: ScriptArguments[Command]) => Promise<unknown>;
};

/** What the gateway uses of a Redis client: ioredis's, or a simulated one. */
export interface RedisClient extends ScriptCommands {
  /** `ready` while commands can be sent. */
  readonly status: string;
  on(event: 'ready' | 'close', listener: () => void): unknown;
  time(): Promise<readonly (string | number)[]>;
  set(key: string, value: string, life: 'PX', lifeMs: number): Promise<unknown>;
  /** Makes a cluster's node serve the next command for a slot that is on its way to it. */
  asking?(): Promise<unknown>;
  mget(keys: string[]): Promise<(string | null)[]>;
  quit(): Promise<unknown>;
  disconnect(): void;
}
