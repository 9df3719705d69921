/**
 * Makes every fault, alone and in pairs, under load, and prints a row for each: `make chaos`.
 *
 *     tsx test/faults/run.ts [--short] [--seed N] [--only TEXT]
 *
 * --short  a shorter form of each, and one pair, for the test run
 * --seed   order of the faults and choice of the pairs; printed, so that a run can be repeated
 * --only   only faults whose name contains TEXT, no pairs
 *
 * Exits with 1 when anything was violated.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runExperiment } from './experiment.js';
import { FAULTS, type Fault } from './faults.js';
import { headline, line, summary } from './report.js';
import type { Intensity, Row } from './verdict.js';
import { startServices } from './world.js';

const FULL: Intensity = {
  keyedSenders: 40,
  unkeyedSenders: 8,
  restMs: 20,
  beforeMs: 1500,
  faultMs: 5000,
  afterMs: 2500,
};
const SHORT: Intensity = {
  keyedSenders: 16,
  unkeyedSenders: 4,
  restMs: 20,
  beforeMs: 1500,
  faultMs: 1500,
  afterMs: 700,
};
/** Full load on a broker that is away for half a minute: what memory does then. */
const ENDURANCE: Intensity = { ...FULL, keyedSenders: 64, unkeyedSenders: 16, restMs: 0, faultMs: 30_000 };
const ENDURED = ['broker blocks publishers', 'network to the broker black-holed', 'broker killed -9'];
const PAIRS = { full: 8, short: 1 };

/** A small seeded generator (mulberry32): the same seed gives the same run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffled<T>(list: readonly T[], next: () => number): T[] {
  return list
    .map((item) => ({ item, rank: next() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** Pairs of faults that lay hands on different things. */
function pairs(count: number, next: () => number): Fault[][] {
  const found: Fault[][] = [];
  while (found.length < count) {
    const [one, other] = shuffled(
      FAULTS.slice(1).filter(({ onlyAlone }) => onlyAlone !== true),
      next,
    );
    if (one !== undefined && other !== undefined && one.target !== other.target) found.push([one, other]);
  }
  return found;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      seed: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const seed = values.seed === undefined ? randomInt(1_000_000) : Number(values.seed);
  const next = random(seed);
  const alone = FAULTS.filter((fault) => values.only === undefined || fault.name.includes(values.only)).map(
    (fault) => [fault],
  );
  const paired = values.only === undefined ? pairs(values.short ? PAIRS.short : PAIRS.full, next) : [];
  const usual = values.short ? SHORT : FULL;
  const endured =
    values.short || values.only !== undefined ? [] : FAULTS.filter(({ name }) => ENDURED.includes(name));
  const plan = [
    ...[...shuffled(alone, next), ...paired].map((faults) => ({ faults, intensity: usual })),
    ...endured.map((fault) => ({ faults: [fault], intensity: ENDURANCE })),
  ];
  process.stdout.write(`Faults: ${plan.length} experiments, seed ${seed}\n${headline()}\n`);
  const services = await startServices();
  const rows: Row[] = [];
  try {
    for (const { faults, intensity } of plan) {
      const row = await runExperiment(services, faults, intensity);
      rows.push(row);
      process.stdout.write(`${line(row)}\n`);
      for (const violation of row.violations) process.stdout.write(`  VIOLATED: ${violation}\n`);
    }
  } finally {
    await services.stop();
  }
  process.stdout.write(`${summary(rows)}\n`);
  return rows.every((row) => row.violations.length === 0) ? 0 : 1;
}

process.exitCode = await main();
