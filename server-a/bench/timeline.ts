/** Where the time of one request goes, in a gateway that has nothing else to do. */
import type { Bench, Outcome } from './experiment.js';
import { interleave, type Slice, spread, type Variant } from './measure.js';
import { CHEAPER, KEYED, type RequestKind, UNKEYED } from './requests.js';
import { fixed, table } from './table.js';

/** Requests a second: each is alone. */
const RATE = 100;

/** Kinds of requests, each of which waits for one thing more than an earlier one. */
const STEPS: readonly {
  readonly kind: RequestKind | undefined;
  readonly waits: string;
  /** Place in this list of the request without that wait; undefined = it is the first. */
  readonly without: number | undefined;
}[] = [
  { kind: kindNamed('refused 401'), waits: 'HTTP, and the layers up to auth', without: undefined },
  { kind: kindNamed('replayed (202)'), waits: 'one script, and the layers up to quota', without: 0 },
  { kind: UNKEYED, waits: "the broker's confirm", without: 1 },
  { kind: KEYED, waits: 'a second script', without: 2 },
];

function kindNamed(name: string): RequestKind | undefined {
  return CHEAPER.find((kind) => kind.name === name);
}

/** Sends requests of several kinds one by one; what one kind takes longer than another is what it waits for besides. */
export async function timeline(bench: Bench): Promise<Outcome> {
  const target = await bench.gateway();
  const steps = STEPS.flatMap(({ kind, ...step }) => (kind === undefined ? [] : [{ kind, ...step }]));
  const variants: Variant[] = steps.map(({ kind }) => ({
    target,
    kind,
    connections: 1,
    ratePerSecond: RATE,
  }));
  const slices = await interleave(variants, bench.rounds, bench.sliceMs, bench.progress);
  await target.stop();
  const median = (place: number, of: (slice: Slice) => number): number =>
    spread((slices[place] ?? []).map(of)).median;
  const p50 = ({ p50Ms }: Slice): number => p50Ms;
  const rows = steps.map(({ kind, waits, without }, place) => {
    const base = without === undefined ? 0 : median(without, p50);
    return [
      kind.name,
      fixed(median(place, p50), 2),
      fixed(
        median(place, ({ p99Ms }) => p99Ms),
        2,
      ),
      waits,
      fixed(median(place, p50) - base, 2),
    ];
  });
  const head = ['request', 'p50 ms', 'p99 ms', 'waits for', 'which takes, ms'];
  return { table: table(`One request at a time, ${RATE} a second`, head, rows), figures: slices };
}
