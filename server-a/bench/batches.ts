/** What a message costs in batches, beside one that is sent alone; and how long a batch holds Redis. */
import { Redis } from 'ioredis';
import { claimTerms } from '../src/redis/claim-terms.js';
import { defineScripts } from '../src/redis/script-files.js';
import { HEAD, row } from './comparison.js';
import type { Bench, Outcome } from './experiment.js';
import { interleave, quantileOf, ratio, type Slice, type Variant } from './measure.js';
import { BATCH_SIZES, batchKind, KEYED } from './requests.js';
import { fixed, table } from './table.js';

/** Connections by batch size; 1 is the single endpoint's too. More messages in flight than these wait for slots. */
const CONNECTIONS: Readonly<Record<number, number>> = { 1: 64, 10: 16, 100: 4 };

/** CPU of gateway, Redis and RabbitMQ. */
const endToEnd = (one: Slice): number => one.cpuUs + one.redisUs + one.rabbitmqUs;

/** A slice's figures for each message instead of each request; latencies stay those of requests. */
function perMessage(one: Slice, size: number): Slice {
  return {
    ...one,
    cpuUs: one.cpuUs / size,
    mainUs: one.mainUs / size,
    v8Us: one.v8Us / size,
    otherUs: one.otherUs / size,
    redisUs: one.redisUs / size,
    rabbitmqUs: one.rabbitmqUs / size,
    perSecond: one.perSecond * size,
  };
}

/** CPU for a message: alone, and in batches of each size. @throws when any item of a batch was not accepted */
async function cpuForMessages(bench: Bench): Promise<Outcome> {
  const [single, batches] = [await bench.gateway(), await bench.gateway()];
  const variants: readonly (Variant & { readonly size: number })[] = [
    { target: single, kind: KEYED, connections: 64, size: 1 },
    ...BATCH_SIZES.map((size) => ({
      target: batches,
      kind: batchKind(size),
      connections: CONNECTIONS[size] ?? 1,
      size,
    })),
  ];
  const measured = await interleave(variants, bench.rounds, bench.sliceMs, bench.progress);
  const page = await (await fetch(`http://127.0.0.1:${batches.port}/metrics`)).text();
  const others = page.match(/^sms_send_requests_total\{.*outcome="(?!accepted")\w+"\} [1-9].*$/m);
  await Promise.all([single.stop(), batches.stop()]);
  if (others !== null) throw new Error(`not all items were accepted: ${others[0]}`);
  const slices = measured.map((each, n) => each.map((one) => perMessage(one, variants[n]?.size ?? 1)));
  const [alone = []] = slices;
  const ratios = slices.map((each) => ({
    all: ratio(each, alone, endToEnd),
    own: ratio(each, alone, (one) => one.cpuUs),
  }));
  const rows = slices.map((each, n) => [
    ...row(variants[n]?.kind.name ?? '', each),
    fixed(ratios[n]?.own.median ?? Number.NaN, 2),
    fixed(ratios[n]?.all.median ?? Number.NaN, 2),
  ]);
  const head = [...HEAD, 'CPU, of alone', 'with Redis and RabbitMQ'];
  return { table: table('A message alone, and in batches', head, rows), figures: { slices, ratios } };
}

const ITEMS = 100;
const [FROM, DEADLINE] = [0, 9_999_999_999_999];
const DIGEST = 'abcdefghij';
const REFUSAL = `400${JSON.stringify({ error_code: 'INVALID_PAYLOAD', message: 'x'.repeat(400) })}`;

/** What a call does, with n for the n-th of its calls. */
type Work = (redis: Redis, n: number) => Promise<unknown>;

const TERMS = claimTerms({
  strict: false,
  leaseMs: 3000,
  lifeMs: 86_400_000,
  minLifeMs: 18_000,
  counterLifeSeconds: 86_400,
});

/** Ids of the items of a call. */
const itemsOf = (first: number, n: number): string[] =>
  Array.from({ length: ITEMS }, (_, item) => `${first}-${n}-${item}`.padEnd(36, '-'));
const recordOf = (item: string): string => `idem:client:${item}`;

function admit(first: number, { limited = false, owner = 'owner' } = {}): Work {
  return (redis, n) => {
    const items = itemsOf(first, n);
    const keys = [...items.map(recordOf), 'counter', ...(limited ? ['bucket'] : [])];
    const head = [TERMS, 1_000_000_000, FROM, DEADLINE, 1_000_000_000];
    return redis.admit(keys.length, ...keys, ...head, ...items.map((item) => item + DIGEST + owner));
  };
}

function refuse(first: number): Work {
  return (redis, n) => {
    const items = itemsOf(first, n);
    const keys = [...items.map(recordOf), 'refusals'];
    const words = items.flatMap((item) => [item + DIGEST, REFUSAL, 86_400_000]);
    return redis.refuse(keys.length, ...keys, 0, FROM, DEADLINE, 1_000_000_000, 86_400, ...words);
  };
}

function settle(first: number, ending: string, durationMs: number): Work {
  return (redis, n) => {
    const items = itemsOf(first, n);
    const keys = [...items.map(recordOf), ...(ending === 'not_sent' ? ['counter'] : [])];
    const words = items.map((item) => `${item}${DIGEST}owner`);
    return redis.settle(keys.length, ...keys, ending, durationMs, 0, ...words);
  };
}

const WORKS: readonly (readonly [string, Work])[] = [
  ['admit, all new', admit(1)],
  ['admit, all at work elsewhere', admit(1, { owner: 'other' })],
  ['settle, answered', settle(1, 'answered', 86_400_000)],
  ['admit, all answered', admit(1)],
  ['admit, all new, max_per_second', admit(2, { limited: true })],
  ['settle, not sent', settle(2, 'not_sent', 0)],
  ['refuse, all stored', refuse(3)],
];

/** Redis's own time for each call with 100 items, by its slow log. */
async function timeInRedis(bench: Bench): Promise<Outcome> {
  const calls = bench.quick ? 200 : 2000;
  const redis = new Redis(bench.redis.url);
  defineScripts(redis);
  await redis.config('SET', 'slowlog-max-len', String(2 * calls));
  const rows: string[][] = [];
  const figures: Record<string, number[]> = {};
  for (const [name, work] of WORKS) {
    // Lower, and the commands within the scripts would fill the log.
    await redis.config('SET', 'slowlog-log-slower-than', '100');
    await redis.slowlog('RESET');
    for (let n = 0; n < calls; n += 1) await work(redis, n);
    await redis.config('SET', 'slowlog-log-slower-than', '-1');
    const entries: unknown = await redis.slowlog('GET', String(2 * calls));
    const times = (Array.isArray(entries) ? entries : [])
      .filter((entry) => /^eval/i.test(String(entry[3]?.[0])))
      .map((entry) => Number(entry[2]) / 1000)
      .sort((a, b) => a - b);
    const at = (part: number): string => fixed(quantileOf(times, part), 2);
    rows.push([name, String(times.length), at(0.5), at(0.99), at(1)]);
    figures[name] = times;
    bench.progress(`time in Redis  ${name}: ${at(0.5)} ms`);
  }
  redis.disconnect();
  const head = [`${ITEMS} items`, 'calls', 'median ms', 'p99 ms', 'longest ms'];
  return { table: table('How long a call holds Redis', head, rows), figures };
}

/** Both. */
export async function batches(bench: Bench): Promise<Outcome> {
  const [held, cpu] = [await timeInRedis(bench), await cpuForMessages(bench)];
  return { table: `${cpu.table}\n\n${held.table}`, figures: { cpu: cpu.figures, held: held.figures } };
}
