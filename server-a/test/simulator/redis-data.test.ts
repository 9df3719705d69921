import { randomBytes } from 'node:crypto';
import test from 'ava';
import { Redis } from 'ioredis';
import { defineScripts, readScript, SCRIPTS } from '../../src/redis/script-files.js';
import { Choices } from './choices.js';
import { RedisError, type RedisValue } from './lua-machine.js';
import { RedisData } from './redis-data.js';

/** Milliseconds by which a time may differ: the simulated Redis is told the real one's time just before. */
const TOLERANCE_MS = 2000;

const redis = new Redis(process.env['TEST_REDIS_URL'] ?? '');
defineScripts(redis);
test.after.always(() => redis.disconnect());

async function now(): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}

/** A text as bytes, one a character. */
const asBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

function asText(value: RedisValue): RedisValue {
  if (typeof value === 'string') return Buffer.from(value, 'latin1').toString('utf8');
  return Array.isArray(value) ? value.map(asText) : value;
}

/** Runs the same on both, and returns what both answer. */
async function onBoth(
  data: RedisData,
  command: keyof typeof SCRIPTS,
  words: readonly (string | number)[],
): Promise<{ readonly real: unknown; readonly simulated: RedisValue | string }> {
  const { file, keys } = SCRIPTS[command];
  const texts = words.map(String);
  const nowMs = await now();
  const real: unknown = await redis
    .eval(readScript(file), keys ?? texts[0] ?? '', ...(keys === undefined ? texts.slice(1) : texts))
    .catch((error: unknown) => (error instanceof Error ? 'error' : error));
  let simulated: RedisValue | string;
  try {
    simulated = asText(data.runScript({ lua: readScript(file), keys }, texts.map(asBytes), nowMs));
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    simulated = 'error';
  }
  return { real, simulated };
}

/** Takes times out of a value: moments (13 digits) and what is left until one. They are compared apart. */
function split(value: unknown): { readonly shape: unknown; readonly times: readonly number[] } {
  const times: number[] = [];
  const walk = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(walk);
    if (typeof part === 'number' && part > 500) {
      times.push(part);
      return 'a time';
    }
    if (typeof part !== 'string') return part;
    // In a record, the end of the lease stands before the day.
    return part.replace(/\d{13}(?=\d{4}-\d\d-\d\d)/g, (digits) => {
      times.push(Number(digits));
      return 'a time';
    });
  };
  return { shape: walk(value), times };
}

/** What each key is told, or the status of a call on one key. */
function repliesOf(command: keyof typeof SCRIPTS, reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) return [reply];
  const [first, second]: readonly unknown[] = reply;
  if (typeof first === 'string' || command === 'lookUp') return [first];
  const each: readonly unknown[] = command === 'admit' && Array.isArray(second) ? second : reply;
  return each.map((one) => (Array.isArray(one) ? one[0] : one));
}

test('simulated Redis: the same scripts with the same arguments as a real one -> the same replies, records and counters', async (t) => {
  t.timeout(120_000);
  const space = randomBytes(6).toString('hex');
  const data = new RedisData();
  const choices = new Choices(randomBytes(4).readUInt32BE(), 'scripts');
  const records = ['a', 'b', 'c'].map((name) => `idem:${space}:${name}`);
  const counter = `quota:${space}:2026-05-12`;
  const bucket = `rate:${space}`;
  const count = `refused:${space}`;
  const owners = ['first', 'second', 'third'];
  const id = (): string => `0000000${choices.integer(1, 2)}-0000-4000-8000-000000000000`;
  const digest = (): string => choices.pick(['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc']);
  const body = (): string => choices.pick(['', '{"text":"\u00e9\u4e2d"}', '{"n":1}']);
  const seen = new Set<string>();
  for (let step = 0; step < 1500; step += 1) {
    const nowMs = Math.floor(await now());
    const from = nowMs - choices.pick([5000, 5000, 5000, -60_000]);
    const deadline = nowMs + choices.pick([5000, 5000, 5000, -60_000]);
    const record = choices.pick(records);
    const pair = [record, choices.pick(records.filter((other) => other !== record))];
    const strict = choices.integer(0, 1);
    // Leases are long or over, so that the time between the two runs decides nothing.
    const lease = choices.pick([600_000, -600_000]);
    const duration = choices.pick([0, 600_000]);
    const ending = choices.pick(['answered', 'held', 'unknown']);
    const limit = choices.pick([4, 4000]);
    const terms = `${strict} ${lease} 900000 700000 86400`;
    const attempt = (): string => id() + digest() + choices.pick(owners);
    const refusal = () => [id() + digest(), `${choices.pick([400, 503])}${body()}`, duration] as const;
    const window = [from, deadline] as const;
    const admit = ['admit', [2, record, counter, terms, limit, ...window, 0, attempt()]] as const;
    const early = choices.pick([0, deadline]);
    const howLong = ending === 'answered' ? 600_000 : duration;
    const units = [choices.integer(0, 6), 86_400, ...window, choices.integer(1, 3)] as const;
    const most = choices.integer(0, 20);
    const [command, words] = choices.pick<readonly [keyof typeof SCRIPTS, readonly (string | number)[]]>([
      // What follows an admission is met only where there are many.
      admit,
      admit,
      admit,
      ['admit', [4, ...pair, counter, bucket, terms, limit, ...window, 1_000_000, attempt(), attempt()]],
      ['settle', [1, record, ending, howLong, early, attempt()]],
      ['settle', [2, record, counter, 'not_sent', 0, early, attempt()]],
      ['settle', [3, ...pair, counter, choices.pick([ending, 'not_sent']), 600_000, 0, attempt(), attempt()]],
      ['refuse', [2, record, count, strict, ...window, most, 86_400, ...refusal()]],
      ['refuse', [3, ...pair, count, strict, ...window, most, 86_400, ...refusal(), ...refusal()]],
      ['quotaConsume', [1, counter, ...units, 0]],
      ['quotaConsume', [2, counter, bucket, ...units, 1_000_000]],
      ['quotaRefund', [counter]],
      ['lookUp', [record]],
    ]);
    const { real, simulated } = await onBoth(data, command, words);
    const [told, expected] = [split(simulated), split(real)];
    const where = `step ${step}: ${command} ${words.join(' ')}`;
    t.deepEqual(told.shape, expected.shape, where);
    for (const [index, time] of expected.times.entries()) {
      t.true(Math.abs(time - (told.times[index] ?? 0)) < TOLERANCE_MS, `${where}: ${real} and ${simulated}`);
    }
    for (const reply of repliesOf(command, real)) {
      seen.add(`${command} ${typeof reply === 'number' ? 'a number' : reply}`);
    }
    const known = new Map(data.entries(await now()));
    for (const key of [...records, counter, count]) {
      const [value, life] = [await redis.get(key), await redis.pttl(key)];
      t.deepEqual(split(asText(known.get(key) ?? null)).shape, split(value).shape, `${where}: ${key}`);
      const left = data.run('PTTL', [key], await now());
      t.true(typeof left === 'number' && Math.abs(left - life) < TOLERANCE_MS, `${where}: life of ${key}`);
    }
    // Without new keys now and then, all of them would soon be answered.
    if (choices.chance(0.3)) {
      await redis.del(record);
      data.run('DEL', [record], await now());
    }
  }
  // The walk has been nearly everywhere; a used-up quota is not met by every seed.
  for (const reply of [
    'admit a number',
    'admit admitted',
    'admit answered',
    'admit in_flight',
    'admit open',
  ]) {
    t.true(seen.has(reply), reply);
  }
  for (const reply of [
    'settle open',
    'settle a number',
    'settle withdrawn',
    'refuse refused',
    'refuse answered',
    'quotaRefund refunded',
  ]) {
    t.true(seen.has(reply), reply);
  }
  await redis.del(...records, counter, bucket, count);
});
