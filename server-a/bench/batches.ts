/** What a message costs in batches, beside one that is sent alone; and how long a batch holds Redis. */
import { Redis } from 'ioredis';
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

function ask(first: number, { refused = false, limited = false, owner = 'owner' } = {}): Work {
  return (redis, n) => {
    const items = Array.from({ length: ITEMS }, (_, item) => `${first}-${n}-${item}`);
    const others = limited ? ['counter', 'bucket'] : ['counter'];
    const keys = [...items.map((item) => `idem:client:${item.padEnd(36, '-')}`), 'refusals', ...others];
    const words = [
      ...items.map((item) => item.padEnd(36, '-') + (refused ? '' : DIGEST)),
      ...(refused ? items.flatMap(() => [DIGEST, REFUSAL, 86_400_000]) : []),
    ];
    const head = [ITEMS, 0, FROM, DEADLINE, owner, 3000, 86_400_000, 18_000, 1_000_000_000, 86_400];
    const bounds = [1_000_000_000, 1_000_000_000, 86_400];
    return redis.admitBatch(keys.length, ...keys, ...head, ...bounds, ...words);
  };
}

function settle(first: number, ending: string, durationMs: number): Work {
  return (redis, n) => {
    const items = Array.from({ length: ITEMS }, (_, item) => `${first}-${n}-${item}`.padEnd(36, '-'));
    const keys = [
      ...items.map((item) => `idem:client:${item}`),
      ...(ending === 'not_sent' ? ['counter'] : []),
    ];
    const words = items.map((item) => item + DIGEST);
    return redis.settleBatch(keys.length, ...keys, ITEMS, ending, durationMs, 'owner', ...words);
  };
}

const WORKS: readonly (readonly [string, Work])[] = [
  ['admit_batch, all new', ask(1)],
  ['admit_batch, all at work elsewhere', ask(1, { owner: 'other' })],
  ['settle_batch, answered', settle(1, 'answered', 86_400_000)],
  ['admit_batch, all answered', ask(1)],
  ['admit_batch, all new, max_per_second', ask(2, { limited: true })],
  ['settle_batch, not sent', settle(2, 'not_sent', 0)],
  ['admit_batch, all refused', ask(3, { refused: true })],
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
