/**
 * The simulator: `npm run simulate -- [--seed N] [--histories N] [--minutes N] [--only ids]`
 *
 * Runs histories of consecutive seeds, from a random one on or from the one given. The first that fails is shrunk and
 * shown. With --only, one history is repeated with these failures and senders (`all`: as it is) and shown.
 */
import { parseArgs } from 'node:util';
import { Pool } from './pool.js';
import { describeFigures, describeHistory } from './report.js';
import { shrink } from './shrink.js';
import { simulate } from './simulate.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    histories: { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const pool = new Pool();

async function repeat(only: string): Promise<boolean> {
  const report = await pool.run({ seed, keepTrace: true, ...(only !== 'all' && { only: only.split(',') }) });
  process.stdout.write(describeHistory(report));
  return report.violations.length === 0;
}

async function run(): Promise<boolean> {
  const began = performance.now();
  const limitMs = values.minutes === undefined ? undefined : Number(values.minutes) * 60_000;
  const most = limitMs === undefined ? 2000 : Number.POSITIVE_INFINITY;
  process.stdout.write(`histories from seed ${seed} on\n`);
  const histories = values.histories === undefined ? most : Number(values.histories);
  const { figures, failed } = await simulate(pool, { firstSeed: seed, histories, limitMs });
  const [first] = failed;
  if (first !== undefined) {
    process.stdout.write(`the history of seed ${first.seed} fails; taking away what it does not need\n`);
    process.stdout.write(describeHistory(await shrink(pool, first)));
  }
  process.stdout.write(describeFigures(figures, performance.now() - began));
  return first === undefined;
}

const isRight = await (values.only === undefined ? run() : repeat(values.only));
pool.close();
process.exitCode = isRight ? 0 : 1;
