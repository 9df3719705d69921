/** The data of a simulated Redis: the commands that the scripts use, expiry, and the newest writes, which may be forgotten. */
import { type CallCommand, LuaMachine, RedisError, type RedisValue } from './lua-machine.js';

interface Entry {
  readonly value: string;
  /** Redis's time in milliseconds; undefined = lives for ever. */
  readonly expiresAt: number | undefined;
}

/** One write: what each key held before it. */
type Write = { readonly key: string; readonly before: Entry | undefined }[];

/** Writes that may be forgotten at the most. */
const REMEMBERED_WRITES = 200;

/** Shared by all data sets: a script is compiled once for a process. */
const machine = new LuaMachine();

/** A script as a Redis command: its text and how many keys it takes; undefined = its first word says it. */
export interface Script {
  readonly lua: string;
  readonly keys: number | undefined;
}

/** One data set. */
export class RedisData {
  readonly #entries = new Map<string, Entry>();
  readonly #writes: Write[] = [];
  /** Is told of each change of a key, with the value after it. */
  onChange: (key: string, value: string | undefined) => void = () => {};
  #nowMs = 0;
  #write: Write = [];

  /** Runs a script at a time (Redis's, milliseconds). @throws {RedisError} */
  runScript({ lua, keys }: Script, words: readonly string[], nowMs: number): RedisValue {
    const [count, rest] = keys === undefined ? [Number(words[0]), words.slice(1)] : [keys, words];
    return this.#step(nowMs, () =>
      machine.run(lua, rest.slice(0, count), rest.slice(count), (name, args) => this.#command(name, args)),
    );
  }

  /** Runs a command at a time. @throws {RedisError} */
  run(name: string, args: readonly string[], nowMs: number): RedisValue {
    return this.#step(nowMs, () => this.#command(name, args));
  }

  /** Keys and values that have not expired. */
  entries(nowMs: number): [key: string, value: string][] {
    this.#nowMs = nowMs;
    return [...this.#entries.keys()].flatMap((key) => {
      const value = this.#get(key);
      return value === undefined ? [] : [[key, value]];
    });
  }

  /** Loses its newest writes, as after a failover to a replica that lags; a script is one write. Returns how many. */
  forgetNewest(count: number): number {
    const forgotten = this.#writes.splice(Math.max(0, this.#writes.length - count));
    for (const write of forgotten.reverse()) {
      for (const { key, before } of write.reverse()) this.#put(key, before);
    }
    return forgotten.length;
  }

  /** Loses everything. */
  forgetAll(): number {
    const lost = this.#entries.size;
    for (const key of [...this.#entries.keys()]) this.#put(key, undefined);
    this.#writes.length = 0;
    return lost;
  }

  #step(nowMs: number, run: () => RedisValue): RedisValue {
    this.#nowMs = nowMs;
    this.#write = [];
    try {
      return run();
    } finally {
      // As Redis does, what a script wrote before it failed stays.
      if (this.#write.length > 0) this.#writes.push(this.#write);
      if (this.#writes.length > REMEMBERED_WRITES) this.#writes.shift();
    }
  }

  readonly #command: CallCommand = (name, args) => {
    const [key = '', a = ''] = args;
    switch (name.toUpperCase()) {
      case 'GET':
        return this.#get(key) ?? null;
      case 'MGET':
        return args.map((one) => this.#get(one) ?? null);
      case 'SET':
        return this.#set(key, a, args.slice(2));
      case 'DEL':
        return args.filter((one) => this.#get(one) !== undefined && this.#change(one, undefined)).length;
      case 'EXISTS':
        return args.filter((one) => this.#get(one) !== undefined).length;
      case 'INCR':
        return this.#add(key, 1);
      case 'DECR':
        return this.#add(key, -1);
      case 'INCRBY':
        return this.#add(key, integer(a));
      case 'DECRBY':
        return this.#add(key, -integer(a));
      case 'EXPIRE':
        return this.#expireAt(key, this.#nowMs + integer(a) * 1000);
      case 'PEXPIRE':
        return this.#expireAt(key, this.#nowMs + integer(a));
      case 'PTTL':
        return this.#left(key);
      case 'TTL': {
        const left = this.#left(key);
        return left < 0 ? left : Math.round(left / 1000);
      }
      case 'TIME': {
        const seconds = Math.floor(this.#nowMs / 1000);
        return [String(seconds), String(Math.floor((this.#nowMs - seconds * 1000) * 1000))];
      }
      case 'PING':
        return { ok: 'PONG' };
      default:
        throw new RedisError(`ERR unknown command '${name}'`);
    }
  };

  #get(key: string): string | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt !== undefined && entry.expiresAt <= Math.floor(this.#nowMs)) {
      this.#put(key, undefined);
      return undefined;
    }
    return entry.value;
  }

  #set(key: string, value: string, options: readonly string[]): RedisValue {
    let expiresAt: number | undefined;
    for (let at = 0; at < options.length; at += 1) {
      const option = (options[at] ?? '').toUpperCase();
      const argument = options[at + 1] ?? '';
      if (option === 'KEEPTTL') expiresAt = this.#entries.get(key)?.expiresAt;
      else if (option === 'NX' && this.#get(key) !== undefined) return null;
      else if (option === 'XX' && this.#get(key) === undefined) return null;
      else if (option === 'EX' || option === 'PX') {
        const life = integer(argument) * (option === 'EX' ? 1000 : 1);
        if (life <= 0) throw new RedisError("ERR invalid expire time in 'set' command");
        expiresAt = Math.floor(this.#nowMs) + life;
        at += 1;
      } else if (option !== 'NX' && option !== 'XX') throw new RedisError('ERR syntax error');
    }
    this.#change(key, { value, expiresAt });
    return { ok: 'OK' };
  }

  #add(key: string, by: number): number {
    const sum = integer(this.#get(key) ?? '0') + by;
    this.#change(key, { value: String(sum), expiresAt: this.#entries.get(key)?.expiresAt });
    return sum;
  }

  #expireAt(key: string, at: number): number {
    const value = this.#get(key);
    if (value === undefined) return 0;
    this.#change(key, at <= this.#nowMs ? undefined : { value, expiresAt: Math.floor(at) });
    return 1;
  }

  #left(key: string): number {
    if (this.#get(key) === undefined) return -2;
    const expiresAt = this.#entries.get(key)?.expiresAt;
    return expiresAt === undefined ? -1 : expiresAt - Math.floor(this.#nowMs);
  }

  #change(key: string, entry: Entry | undefined): true {
    this.#write.push({ key, before: this.#entries.get(key) });
    this.#put(key, entry);
    return true;
  }

  #put(key: string, entry: Entry | undefined): void {
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
    this.onChange(key, entry?.value);
  }
}

function integer(text: string): number {
  if (!/^-?\d{1,18}$/.test(text)) throw new RedisError('ERR value is not an integer or out of range');
  return Number(text);
}
