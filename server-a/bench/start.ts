/** From the start of the process to the first good answer of `/readyz`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, Outcome } from './experiment.js';
import { spread } from './measure.js';
import { fixed, table } from './table.js';
import type { Target } from './target.js';

/** One start, milliseconds. */
interface Start {
  readonly wallMs: number;
  /** Of all threads of the process, until it was ready. */
  readonly cpuMs: number;
}

/**
 * Starts this build, and another one where it was named, in turn: as the image starts it, with compiled code of an earlier
 * start, where Node.js keeps such.
 */
export async function start(bench: Bench): Promise<Outcome> {
  const { other } = bench;
  const folder = await mkdtemp(join(tmpdir(), 'sms-gateway-start-'));
  const env = { NODE_COMPILE_CACHE: folder };
  const builds: (() => Promise<Target>)[] = [() => bench.gateway(env)];
  if (other !== undefined) builds.push(() => other([], env));
  const starts = builds.map((): Start[] => []);
  // The first start makes the compiled code, and is not counted.
  for (let round = 0; round <= bench.rounds; round += 1) {
    for (const [n, build] of builds.entries()) {
      const target = await build();
      const one = { wallMs: target.startMs, cpuMs: target.times().all / 1000 };
      await target.stop();
      bench.progress(`start  ${target.name}  ${fixed(one.wallMs, 0)} ms, CPU ${fixed(one.cpuMs, 0)} ms`);
      if (round > 0) starts[n]?.push(one);
    }
  }
  await rm(folder, { recursive: true, force: true });
  const rows = starts.map((each, n) => [
    n === 0 ? 'gateway' : 'other',
    ...leastAndMedian(each.map(({ wallMs }) => wallMs)),
    ...leastAndMedian(each.map(({ cpuMs }) => cpuMs)),
  ]);
  return {
    table: table('Start to ready, ms', ['build', 'least', 'median', 'CPU, least', 'CPU, median'], rows),
    figures: starts,
  };
}

function leastAndMedian(values: readonly number[]): string[] {
  const { min, median } = spread(values);
  return [fixed(min, 0), fixed(median, 0)];
}
