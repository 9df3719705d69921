/** What the simulator uses of fengari: Lua in JavaScript, the same that ioredis-mock runs scripts with. */
declare module 'fengari' {
  /** A Lua state. */
  interface State {
    readonly _state: unique symbol;
  }
  const fengari: {
    readonly lua: {
      readonly LUA_TNIL: number;
      readonly LUA_TBOOLEAN: number;
      readonly LUA_TNUMBER: number;
      readonly LUA_TSTRING: number;
      readonly LUA_TTABLE: number;
      readonly LUA_REGISTRYINDEX: number;
      lua_createtable(L: State, array: number, record: number): void;
      lua_error(L: State): number;
      lua_getfield(L: State, at: number, name: Uint8Array): number;
      lua_gettop(L: State): number;
      lua_pcall(L: State, args: number, results: number, handler: number): number;
      lua_pushboolean(L: State, value: boolean): void;
      lua_pushjsfunction(L: State, f: (L: State) => number): void;
      lua_pushnil(L: State): void;
      lua_pushnumber(L: State, value: number): void;
      lua_pushstring(L: State, value: Uint8Array): void;
      lua_rawgeti(L: State, at: number, n: number): number;
      lua_rawseti(L: State, at: number, n: number): void;
      lua_setfield(L: State, at: number, name: Uint8Array): void;
      lua_setglobal(L: State, name: Uint8Array): void;
      lua_settop(L: State, at: number): void;
      lua_toboolean(L: State, at: number): boolean;
      lua_tonumber(L: State, at: number): number;
      lua_tostring(L: State, at: number): Uint8Array | null;
      lua_type(L: State, at: number): number;
    };
    readonly lauxlib: {
      luaL_dostring(L: State, text: Uint8Array): boolean | number;
      luaL_loadbuffer(L: State, text: Uint8Array, size: number, name: Uint8Array): number;
      luaL_newstate(): State;
      luaL_ref(L: State, table: number): number;
    };
    readonly lualib: { luaL_openlibs(L: State): void };
    to_luastring(text: string): Uint8Array;
  };

  export type { State };
  export default fengari;
}
