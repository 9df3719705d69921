/** What is measured. Each returns a table to read and the figures behind it. */
import { Redis } from 'ioredis';
import { allocations } from './allocations.js';
import { batches } from './batches.js';
import { against, at, comparison, HEAD, row } from './comparison.js';
import type { Bench, Outcome } from './experiment.js';
import { interleave, slice, WARM_UP_MS } from './measure.js';
import { peer } from './peer.js';
import { pooled, ratioInWords, ratioOf, typical } from './pooled.js';
import { profile } from './profile.js';
import { CHEAPER, KEYED, UNKEYED } from './requests.js';
import { scale } from './scale.js';
import { scrapers } from './scrapers.js';
import { start } from './start.js';
import { fixed, table } from './table.js';
import { PROBED } from './target.js';
import { timeline } from './timeline.js';

async function cheaper(bench: Bench): Promise<Outcome> {
  const gateway = await bench.gateway();
  const variants = [KEYED, UNKEYED, ...CHEAPER].map((kind) => at(gateway, kind));
  const slices = await interleave(variants, Math.ceil(bench.rounds / 3), bench.sliceMs, bench.progress);
  await gateway.stop();
  const rows = slices.map((one, n) => row(variants[n]?.kind.name ?? '', one));
  return { table: table('Kinds of answers', HEAD, rows), figures: slices };
}

async function latency(bench: Bench): Promise<Outcome> {
  const [gateway, floor] = [await bench.gateway(), await bench.floor()];
  await slice(at(gateway, KEYED), bench.sliceMs);
  const saturated = await slice(at(gateway, KEYED), bench.sliceMs);
  const ratePerSecond = Math.round(saturated.perSecond / 2);
  const variants = [gateway, floor].map((target) => ({
    ...at(target, KEYED),
    ratePerSecond,
    warmUpMs: WARM_UP_MS,
  }));
  const latencies: [Float64Array[], Float64Array[]] = [[], []];
  const slices = await interleave(
    variants,
    bench.rounds,
    bench.sliceMs + WARM_UP_MS,
    bench.progress,
    (index, seen) => void latencies[index]?.push(seen),
  );
  await Promise.all([gateway.stop(), floor.stop()]);
  const rows = slices.map((each, n) => row(variants[n]?.target.name ?? '', each));
  const ratios = [0.5, 0.99].map((part) => ({
    part,
    all: ratioOf(...latencies, pooled(part)),
    slices: ratioOf(...latencies, typical(part)),
  }));
  const said = ratios.map(
    ({ part, all, slices: each }) =>
      `p${100 * part}: of all latencies ${ratioInWords(all)}, of the slices' own ${ratioInWords(each)}.`,
  );
  const title = `Keyed, at ${ratePerSecond} a second (half of saturation)`;
  return {
    table: `${table(title, HEAD, rows)}\n\nGateway/floor. ${said.join(' ')}`,
    figures: { ratePerSecond, slices, ratios },
  };
}

async function soak(bench: Bench): Promise<Outcome> {
  const gateway = await bench.gateway({}, PROBED);
  const marks = bench.quick ? [10_000, 50_000] : [50_000, 1_000_000];
  const figures: { requests: number; rssMiB: number; heapMiB: number }[] = [];
  let requests = 0;
  for (const mark of marks) {
    while (requests < mark) {
      const { perSecond } = await slice(at(gateway, KEYED), bench.sliceMs);
      requests += Math.round((perSecond * bench.sliceMs) / 1000);
      bench.progress(`soak  ${requests}/${marks.at(-1)} requests`);
    }
    const rssMiB = gateway.rssBytes() / 2 ** 20;
    const { heap } = await gateway.memory();
    figures.push({ requests, rssMiB, heapMiB: heap / 2 ** 20 });
  }
  await gateway.stop();
  const rows = figures.map((one) => [String(one.requests), fixed(one.rssMiB), fixed(one.heapMiB)]);
  return { table: table('Memory', ['requests', 'RSS MiB', 'heap MiB, collected'], rows), figures };
}

/** Bytes of Redis memory for a record, key and value and all, from a million of them. */
async function records(bench: Bench): Promise<number> {
  const redis = new Redis(bench.redis.url);
  const used = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? 0);
  await redis.flushall();
  const before = await used();
  const count = bench.quick ? 100_000 : 1_000_000;
  for (let first = 0; first < count; first += 10_000) {
    const batch = redis.pipeline();
    for (let n = first; n < first + 10_000; n += 1) {
      const key = `idem:bench_api_key_000001:6f1a2b3c-4d5e-4f60-8a7b-${n.toString(16).padStart(12, '0')}`;
      batch.set(key, `A${n.toString(16).padStart(32, '0')}abcdefghij`, 'EX', 86_400);
    }
    await batch.exec();
  }
  const bytes = ((await used()) - before) / count;
  redis.disconnect();
  return bytes;
}

/** Every experiment by its name. */
export const EXPERIMENTS: Readonly<Record<string, (bench: Bench) => Promise<Outcome>>> = {
  comparison,
  against,
  cheaper,
  profile,
  allocations,
  latency,
  timeline,
  soak,
  scale: (bench) => scale(bench, records),
  scrapers,
  batches,
  start,
  peer,
};

/** What is measured only when it is asked for by name: it needs what the others do not. */
export const ONLY_BY_NAME: ReadonlySet<string> = new Set(['peer']);
