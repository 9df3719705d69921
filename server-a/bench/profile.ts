/** Where the CPU of an accepted request goes, from a CPU profile of the gateway under load. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Outcome } from './experiment.js';
import { slice } from './measure.js';
import { type CallFrame, partOf } from './parts.js';
import { KEYED } from './requests.js';
import { fixed, table } from './table.js';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
}

/** What V8 writes with --cpu-prof. Times are microseconds. */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Loads a gateway that is profiled, and sums the samples up by part. */
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
  const partById = new Map(nodes.map((node) => [node.id, partOf(node.callFrame)]));
  const idle = new Set(
    nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id),
  );
  const byPart = new Map<string, number>();
  let total = 0;
  samples.forEach((id, n) => {
    if (idle.has(id)) return;
    const part = partById.get(id) ?? '';
    const us = timeDeltas[n] ?? 0;
    byPart.set(part, (byPart.get(part) ?? 0) + us);
    total += us;
  });
  const shares = [...byPart].map(([part, us]) => [part, us / total] as const).sort((a, b) => b[1] - a[1]);
  const rows = shares.map(([part, share]) => [part, `${fixed(share * 100)} %`]);
  return {
    table: table('Where the CPU of a keyed, accepted request goes', ['part', 'share'], rows),
    figures: Object.fromEntries(shares),
  };
}
