/** Where the CPU of an accepted request goes, from a CPU profile of the gateway under load. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Outcome } from './experiment.js';
import { slice } from './measure.js';
import { type CallFrame, nameOf, partOf } from './parts.js';
import { KEYED } from './requests.js';
import { fixed, table } from './table.js';

/** Functions that are shown. */
const SHOWN = 40;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame & { readonly lineNumber: number };
}

/** What V8 writes with --cpu-prof. Times are microseconds. */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Loads a gateway that is profiled, and sums the samples up by part and by function. */
export async function profile(bench: Bench): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-profile-'));
  const gateway = await bench.gateway({}, ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  const variant = { target: gateway, kind: KEYED, connections: 64 };
  for (let n = 0; n < (bench.quick ? 2 : 5); n += 1) {
    await slice(variant, bench.sliceMs);
    bench.progress(`profile  slice ${n + 1}`);
  }
  await gateway.stop();
  const [file = ''] = await readdir(folder);
  const { nodes, samples, timeDeltas }: Profile = JSON.parse(await readFile(join(folder, file), 'utf8'));
  await rm(folder, { recursive: true });
  const frameById = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byPart = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let total = 0;
  samples.forEach((id, n) => {
    const frame = frameById.get(id);
    if (frame === undefined || frame.functionName === '(idle)') return;
    const us = timeDeltas[n] ?? 0;
    for (const [sums, name] of [
      [byPart, partOf(frame)],
      [byFunction, nameOf(frame, frame.lineNumber + 1)],
    ] as const) {
      sums.set(name, (sums.get(name) ?? 0) + us);
    }
    total += us;
  });
  const sharesOf = (sums: ReadonlyMap<string, number>): [string, number][] =>
    [...sums].map(([name, us]): [string, number] => [name, us / total]).sort((a, b) => b[1] - a[1]);
  const [parts, functions] = [sharesOf(byPart), sharesOf(byFunction)];
  const rows = (shares: readonly [string, number][]): string[][] =>
    shares.map(([name, share]) => [name, `${fixed(share * 100)} %`]);
  return {
    table: [
      table('Where the CPU of a keyed, accepted request goes', ['part', 'share'], rows(parts)),
      table('The functions that take most', ['function', 'share'], rows(functions.slice(0, SHOWN))),
    ].join('\n\n'),
    figures: { byPart: Object.fromEntries(parts), byFunction: Object.fromEntries(functions) },
  };
}
