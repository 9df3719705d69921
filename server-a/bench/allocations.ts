/** Who allocates what an accepted request leaves to the garbage collector, by V8's allocation sampler under load. */
import type { Bench, Outcome } from './experiment.js';
import { slice } from './measure.js';
import { nameOf, partOf } from './parts.js';
import { KEYED, type RequestKind, UNKEYED } from './requests.js';
import { fixed, table } from './table.js';
import { PROBED, type Target } from './target.js';

/** Functions that are shown. */
const SHOWN = 30;

/** What is loaded, and how. */
const LOADS: readonly (readonly [server: 'gateway' | 'floor', kind: RequestKind])[] = [
  ['gateway', KEYED],
  ['floor', KEYED],
  ['gateway', UNKEYED],
  ['floor', UNKEYED],
];

/** Bytes of a request, by part and by function. */
interface Sampled {
  readonly byPart: ReadonlyMap<string, number>;
  readonly byFunction: ReadonlyMap<string, number>;
}

/** Samples the allocations of a gateway and of the floor, and sums them up by part and by function. */
export async function allocations(bench: Bench): Promise<Outcome> {
  const sampled: Sampled[] = [];
  for (const [server, kind] of LOADS) {
    const target = server === 'gateway' ? await bench.gateway({}, PROBED) : await bench.floor(PROBED);
    sampled.push(await sample(bench, target, kind));
    await target.stop();
    bench.progress(`allocations  ${server}, ${kind.name}`);
  }
  const parts = [...new Set(sampled.flatMap(({ byPart }) => [...byPart.keys()]))];
  const kilobytes = (bytes = 0): string => fixed(bytes / 1000);
  const rows = parts
    .map((part) => sampled.map(({ byPart }) => byPart.get(part) ?? 0))
    .map((bytes, n) => ({ part: parts[n] ?? '', bytes }))
    .sort((a, b) => (b.bytes[0] ?? 0) - (a.bytes[0] ?? 0))
    .map(({ part, bytes }) => [part, ...bytes.map(kilobytes)]);
  const sums = sampled.map(({ byPart }) => [...byPart.values()].reduce((sum, bytes) => sum + bytes, 0));
  const head = LOADS.map(([server, kind]) => `${server}, ${kind.name.replace('accepted, ', '')}`);
  const functions = [...(sampled[0]?.byFunction ?? [])]
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([name, bytes]) => [name, String(Math.round(bytes))]);
  return {
    table: [
      table(
        'Allocated for an accepted request, kB',
        ['part', ...head],
        [...rows, ['in all', ...sums.map(kilobytes)]],
      ),
      table('The functions of the gateway that allocate most, keyed', ['function', 'B'], functions),
    ].join('\n\n'),
    figures: sampled.map(({ byPart, byFunction }) => ({
      byPart: Object.fromEntries(byPart),
      byFunction: Object.fromEntries(byFunction),
    })),
  };
}

async function sample(bench: Bench, target: Target, kind: RequestKind): Promise<Sampled> {
  const variant = { target, kind, connections: 64 };
  await slice(variant, bench.sliceMs);
  let requests = 0;
  const functions = await target.allocationsOf(async () => {
    for (let n = 0; n < (bench.quick ? 1 : 4); n += 1) {
      const { perSecond } = await slice(variant, bench.sliceMs);
      requests += (perSecond * bench.sliceMs) / 1000;
    }
  });
  const byPart = new Map<string, number>();
  const byFunction = new Map<string, number>();
  for (const one of functions) {
    const each = one.bytes / requests;
    const part = partOf(one);
    byPart.set(part, (byPart.get(part) ?? 0) + each);
    const name = nameOf(one);
    byFunction.set(name, (byFunction.get(name) ?? 0) + each);
  }
  return { byPart, byFunction };
}
