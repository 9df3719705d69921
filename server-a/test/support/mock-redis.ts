import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import RedisMock from 'ioredis-mock';
import { defineScripts } from '../../src/redis/script-files.js';

/** Key whose remaining life tells the time: all that a script can see of a clock in ioredis-mock. */
const CLOCK_KEY = 'clock-of-the-mock';
/** When that key ends at an offset of 0: milliseconds since 1970, in the year 2100. */
const CLOCK_END_MS = 4_102_444_800_000;

/**
 * TIME of ioredis-mock takes its seconds (rounded) and its microseconds from two different clocks, so it jumps to and fro
 * by up to a second. This one is put before each script instead.
 */
const TRUE_TIME = `
local call_of_mock = redis.call
local redis = {
  call = function(command, ...)
    if command ~= 'TIME' then
      return call_of_mock(command, ...)
    end
    local now = ${CLOCK_END_MS} - call_of_mock('PTTL', '${CLOCK_KEY}')
    return { string.format('%d', now // 1000), string.format('%d', now % 1000 * 1000) }
  end,
}
`;

/**
 * The mock takes a table for a list only where its places were filled from the last to the first, as a table in braces is.
 * What a script has filled in a loop is made anew like that.
 */
const withMadeUpLists = (lua: string): string => `
local function script()
${lua}
end
local function made_up(value)
  if type(value) ~= 'table' then
    return value
  end
  local list = {}
  for n = #value, 1, -1 do
    list[n] = made_up(value[n])
  end
  return list
end
return made_up(script())
`;

/** An ioredis-mock of its own with the scripts defined, and a clock that a test may set. */
export interface MockRedis {
  readonly redis: Redis;
  /** Lets it be this time at the mock (milliseconds since 1970); from there on its clock goes on. */
  setTime(nowMs: number): Promise<void>;
}

/** Makes a mock whose data no other one shares; it is ready, and will not say so again. */
export async function createMockRedis(): Promise<MockRedis> {
  const redis = new RedisMock({ host: `mock-${randomUUID()}`, port: 6379 });
  const ready = once(redis, 'ready');
  defineScripts({
    defineCommand: (name, { lua, ...rest }) => {
      redis.defineCommand(name, { ...rest, lua: TRUE_TIME + lua });
      if (rest.numberOfKeys !== undefined) return;
      // The mock does not know commands whose first argument is the number of their keys.
      const run = (keys: number, ...words: (string | number)[]) =>
        redis.eval(TRUE_TIME + withMadeUpLists(lua), keys, ...words);
      Object.assign(redis, { [name]: run });
    },
  });
  let offsetMs = 0;
  redis.time = async () => {
    const nowMs = Date.now() + offsetMs;
    return [Math.floor(nowMs / 1000), (nowMs % 1000) * 1000];
  };
  const setOffset = async (ms: number): Promise<void> => {
    offsetMs = ms;
    await redis.pexpireat(CLOCK_KEY, CLOCK_END_MS - ms);
  };
  await ready;
  await redis.set(CLOCK_KEY, '');
  await setOffset(0);
  return { redis, setTime: (nowMs) => setOffset(nowMs - Date.now()) };
}
