/** Two servers beside each other, with their garbage. */
import type { Bench, Outcome } from './experiment.js';
import {
  type GarbagePerRequest,
  garbage,
  interleave,
  ratio,
  type Slice,
  slice,
  spread,
  type Variant,
} from './measure.js';
import { KEYED, type RequestKind, UNKEYED } from './requests.js';
import { fixed, table } from './table.js';
import { PROBED, type Target } from './target.js';

/** Connections of the main comparison. */
const CONNECTIONS = 64;
/** A server with 64 connections, as fast as it answers. */
export const at = (target: Target, kind: RequestKind): Variant => ({
  target,
  kind,
  connections: CONNECTIONS,
});
/** CPU of the server for a request. */
const cpu = (one: Slice): number => one.cpuUs;

/** Head of a table of {@link row}s. */
export const HEAD = [
  ...['variant', 'CPU µs', '95 %', 'main', 'V8', 'other', 'Redis', 'RabbitMQ'],
  ...['per s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'RSS MiB'],
];

/** What slices say, as the row of a table. */
export function row(name: string, slices: readonly Slice[]): string[] {
  const of = (pick: (one: Slice) => number): ReturnType<typeof spread> => spread(slices.map(pick));
  const cost = of(cpu);
  return [
    name,
    fixed(cost.median),
    `${fixed(cost.low)}–${fixed(cost.high)}`,
    fixed(of((one) => one.mainUs).median),
    fixed(of((one) => one.v8Us).median),
    fixed(of((one) => one.otherUs).median),
    fixed(of((one) => one.redisUs).median),
    fixed(of((one) => one.rabbitmqUs).median),
    fixed(of((one) => one.perSecond).median, 0),
    fixed(of((one) => one.p50Ms).median),
    fixed(of((one) => one.p99Ms).median),
    fixed(of((one) => one.p999Ms).median),
    fixed(of((one) => one.rssMiB).median, 0),
  ];
}

const GARBAGE_HEAD = ['variant', 'allocated B', 'survived B', 'promoted B', 'pause µs', 'scavenges a second'];

/** What the garbage collector does for a request: in processes of their own, since watching it costs a little. */
async function garbageOf(
  bench: Bench,
  servers: readonly ((nodeArgs: readonly string[]) => Promise<Target>)[],
): Promise<Outcome> {
  const rows: string[][] = [];
  const figures: Record<string, GarbagePerRequest> = {};
  for (const start of servers) {
    const target = await start(PROBED);
    for (const kind of [KEYED, UNKEYED]) {
      await slice(at(target, kind), bench.sliceMs);
      const one = await garbage(at(target, kind), 2 * bench.sliceMs);
      const name = `${target.name}, ${kind.name}`;
      bench.progress(`garbage  ${name}`);
      figures[name] = one;
      const { allocatedBytes, survivedBytes, promotedBytes, pauseUs, scavengesPerSecond } = one;
      rows.push([
        name,
        ...[allocatedBytes, survivedBytes, promotedBytes].map((bytes) => fixed(bytes, 0)),
        ...[pauseUs, scavengesPerSecond].map((value) => fixed(value)),
      ]);
    }
    await target.stop();
  }
  return { table: table('Garbage of a request', GARBAGE_HEAD, rows), figures };
}

/** A ratio as text: its median, and between which bounds that lies. */
export const inWords = ({ median, low, high }: ReturnType<typeof spread>): string =>
  `${fixed(median, 2)} (${fixed(low, 2)}–${fixed(high, 2)})`;

/** Two servers, with and without a key, in turn. */
async function compare(bench: Bench, title: string, one: Target, other: Target): Promise<Outcome> {
  const variants = [at(one, KEYED), at(other, KEYED), at(one, UNKEYED), at(other, UNKEYED)];
  const slices = await interleave(variants, bench.rounds, bench.sliceMs, bench.progress);
  const [keyed = [], otherKeyed = [], unkeyed = [], otherUnkeyed = []] = slices;
  const ratios = { keyed: ratio(keyed, otherKeyed, cpu), unkeyed: ratio(unkeyed, otherUnkeyed, cpu) };
  const rows = slices.map((each, n) => row(`${variants[n]?.target.name}, ${variants[n]?.kind.name}`, each));
  const text = `${table(title, HEAD, rows)}\n\n${one.name}/${other.name}, CPU per request: keyed ${inWords(ratios.keyed)}, unkeyed ${inWords(ratios.unkeyed)}.`;
  return { table: text, figures: { slices, ratios } };
}

/** The gateway beside the floor. */
export async function comparison(bench: Bench): Promise<Outcome> {
  const [gateway, floor] = [await bench.gateway(), await bench.floor()];
  const { table: text, figures } = await compare(bench, 'Gateway and floor', gateway, floor);
  await Promise.all([gateway.stop(), floor.stop()]);
  const garbageTable = await garbageOf(bench, [
    (nodeArgs) => bench.gateway({}, nodeArgs),
    (nodeArgs) => bench.floor(nodeArgs),
  ]);
  return {
    table: `${text}\n\n${garbageTable.table}`,
    figures: { figures, garbage: garbageTable.figures },
  };
}

/** This build beside another one: what a change costs or saves. */
export async function against(bench: Bench): Promise<Outcome> {
  const { other } = bench;
  if (other === undefined) return { table: 'No other build was named (--against FOLDER).', figures: {} };
  const pair = [await bench.gateway(), await other()] as const;
  const { table: text, figures } = await compare(bench, 'This build and the other', ...pair);
  await Promise.all(pair.map((target) => target.stop()));
  const garbageTable = await garbageOf(bench, [(nodeArgs) => bench.gateway({}, nodeArgs), other]);
  return { table: `${text}\n\n${garbageTable.table}`, figures: { figures, garbage: garbageTable.figures } };
}
