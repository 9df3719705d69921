/**
 * Runs Lua scripts as Redis does. The Lua is fengari's, which ioredis-mock uses too; but ioredis-mock makes a whole new Lua
 * state and compiles the script for every call (1.4 ms; here 16 µs), and it is not faithful where the scripts need it: its
 * TIME joins rounded seconds to microseconds of another clock, and whole numbers wrap at 32 bits.
 */
import type { State } from 'fengari';

// Lua 5.1, which Redis has, writes a whole number without ".0".
process.env['FENGARICONF'] = JSON.stringify({ LUA_COMPAT_FLOATSTRING: true });
const { default: fengari } = await import('fengari');
const { lua, lauxlib, lualib, to_luastring: luaText } = fengari;

/** What a Redis command answers, or a script returns. Strings are bytes, one a character (latin1). */
export type RedisValue = string | number | null | { readonly ok: string } | readonly RedisValue[];

/** Runs one command within a script. @throws Error with Redis's words */
export type CallCommand = (name: string, args: readonly string[]) => RedisValue;

/** An error that Redis answers. */
export class RedisError extends Error {}

/** Every number is a double in Lua 5.1; fengari's whole numbers would wrap at 32 bits. */
const LUA_5_1 = `
  local to_number, floor, ceil, max, min = tonumber, math.floor, math.ceil, math.max, math.min
  tonumber = function(...)
    local n = to_number(...)
    return n and n + 0.0
  end
  math.floor = function(x) local n = floor(x) return n + 0.0 end
  math.ceil = function(x) local n = ceil(x) return n + 0.0 end
  unpack = table.unpack
`;

/** One Lua state with its scripts, each compiled once. */
export class LuaMachine {
  readonly #state = lauxlib.luaL_newstate();
  readonly #scripts = new Map<string, number>();
  #call: CallCommand = () => null;

  constructor() {
    const L = this.#state;
    lualib.luaL_openlibs(L);
    lauxlib.luaL_dostring(L, luaText(LUA_5_1));
    lua.lua_createtable(L, 0, 1);
    lua.lua_pushjsfunction(L, (state) => this.#runCommand(state));
    lua.lua_setfield(L, -2, luaText('call'));
    lua.lua_setglobal(L, luaText('redis'));
  }

  /**
   * Runs a script.
   *
   * @throws {RedisError} what the script raises
   */
  run(text: string, keys: readonly string[], args: readonly string[], call: CallCommand): RedisValue {
    const L = this.#state;
    this.#call = call;
    pushTexts(L, keys);
    lua.lua_setglobal(L, luaText('KEYS'));
    pushTexts(L, args);
    lua.lua_setglobal(L, luaText('ARGV'));
    lua.lua_rawgeti(L, lua.LUA_REGISTRYINDEX, this.#compiled(text));
    if (lua.lua_pcall(L, 0, 1, 0) !== 0) {
      const message = textAt(L, -1);
      lua.lua_settop(L, 0);
      throw new RedisError(message);
    }
    const value = valueAt(L, -1);
    lua.lua_settop(L, 0);
    return value;
  }

  #compiled(text: string): number {
    const known = this.#scripts.get(text);
    if (known !== undefined) return known;
    const L = this.#state;
    const bytes = new Uint8Array(Buffer.from(text, 'utf8'));
    if (lauxlib.luaL_loadbuffer(L, bytes, bytes.length, luaText('@user_script')) !== 0) {
      throw new RedisError(textAt(L, -1));
    }
    const reference = lauxlib.luaL_ref(L, lua.LUA_REGISTRYINDEX);
    this.#scripts.set(text, reference);
    return reference;
  }

  #runCommand(L: State): number {
    const words: string[] = [];
    for (let at = 1; at <= lua.lua_gettop(L); at += 1) {
      words.push(
        lua.lua_type(L, at) === lua.LUA_TNUMBER ? numberText(lua.lua_tonumber(L, at)) : textAt(L, at),
      );
    }
    const [name = '', ...args] = words;
    let value: RedisValue;
    try {
      value = this.#call(name, args);
    } catch (error) {
      lua.lua_pushstring(L, luaText(error instanceof Error ? error.message : String(error)));
      return lua.lua_error(L);
    }
    pushValue(L, value);
    return 1;
  }
}

/** As Redis writes a Lua number that is given to a command: "%.17g". */
function numberText(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e17
    ? String(value)
    : String(Number(value.toPrecision(17)));
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

function pushTexts(L: State, texts: readonly string[]): void {
  lua.lua_createtable(L, texts.length, 0);
  texts.forEach((text, index) => {
    lua.lua_pushstring(L, bytesOf(text));
    lua.lua_rawseti(L, -2, index + 1);
  });
}

/** A reply as a script sees it: nil becomes false. */
function pushValue(L: State, value: RedisValue): void {
  if (value === null) lua.lua_pushboolean(L, false);
  else if (typeof value === 'number') lua.lua_pushnumber(L, value);
  else if (typeof value === 'string') lua.lua_pushstring(L, bytesOf(value));
  else if ('ok' in value) {
    lua.lua_createtable(L, 0, 1);
    lua.lua_pushstring(L, bytesOf(value.ok));
    lua.lua_setfield(L, -2, luaText('ok'));
  } else {
    lua.lua_createtable(L, value.length, 0);
    value.forEach((item, index) => {
      pushValue(L, item);
      lua.lua_rawseti(L, -2, index + 1);
    });
  }
}

function textAt(L: State, at: number): string {
  const bytes = lua.lua_tostring(L, at);
  if (bytes === null) throw new RedisError('Lua redis() command arguments must be strings or integers');
  return Buffer.from(bytes).toString('latin1');
}

/** What a script returns as Redis answers it: numbers lose their fraction, a table ends at its first nil. */
function valueAt(L: State, at: number): RedisValue {
  switch (lua.lua_type(L, at)) {
    case lua.LUA_TNUMBER:
      return Math.trunc(lua.lua_tonumber(L, at));
    case lua.LUA_TSTRING:
      return textAt(L, at);
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(L, at) ? 1 : null;
    case lua.LUA_TTABLE:
      return tableAt(L);
    default:
      return null;
  }
}

function tableAt(L: State): RedisValue {
  for (const field of ['err', 'ok']) {
    lua.lua_getfield(L, -1, luaText(field));
    const text = lua.lua_type(L, -1) === lua.LUA_TSTRING ? textAt(L, -1) : undefined;
    lua.lua_settop(L, -2);
    if (text === undefined) continue;
    if (field === 'err') throw new RedisError(text);
    return { ok: text };
  }
  const items: RedisValue[] = [];
  for (let index = 1; ; index += 1) {
    lua.lua_rawgeti(L, -1, index);
    if (lua.lua_type(L, -1) === lua.LUA_TNIL) break;
    items.push(valueAt(L, -1));
    lua.lua_settop(L, -2);
  }
  lua.lua_settop(L, -2);
  return items;
}
