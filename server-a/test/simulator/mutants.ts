/**
 * Proves the simulator: `npm run mutants -- [--only words] [--histories N] [--seconds N]`
 *
 * Each file of mutants/ is a patch that takes one guard away. Each is applied to a copy of the gateway, and the simulator
 * is run on the copy until it finds something wrong. A mutant that is not found is a hole in the simulator.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type HistoryReport, Pool } from './pool.js';
import { simulate } from './simulate.js';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const SERVER_A = fileURLToPath(new URL('../../', import.meta.url));
const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));
const COPIED = ['src', 'lua', 'test/simulator', 'package.json', 'tsconfig.json'];

/** A patch of mutants/. */
export interface Mutant {
  readonly name: string;
  readonly path: string;
  /** The guard that is taken away: the patch's first line. */
  readonly says: string;
}

/** Returns all mutants, in order of their names. */
export function mutants(): Mutant[] {
  const folder = join(HERE, 'mutants');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.patch'))
    .sort()
    .map((file) => {
      const path = join(folder, file);
      const [says = ''] = readFileSync(path, 'utf8').split('\n');
      return { name: file.replace(/\.patch$/, ''), path, says };
    });
}

/**
 * Makes a copy of the gateway with one guard less. Returns its folder, which the caller removes.
 *
 * @throws Error when the patch does not apply any more
 */
export function makeMutant({ name, path }: Mutant): string {
  const root = mkdtempSync(join(tmpdir(), 'mutant-'));
  const serverA = join(root, 'server-a');
  for (const part of COPIED) cpSync(join(SERVER_A, part), join(serverA, part), { recursive: true });
  cpSync(join(SERVER_A, '../tsconfig.json'), join(root, 'tsconfig.json'));
  symlinkSync(NODE_MODULES, join(root, 'node_modules'));
  const applied = spawnSync('git', ['apply', '-p1', path], { cwd: serverA, encoding: 'utf8' });
  if (applied.status !== 0) {
    rmSync(root, { recursive: true });
    throw new Error(`${name} does not apply: ${applied.stderr}`);
  }
  return root;
}

/** What became of a mutant. */
interface Verdict {
  readonly histories: number;
  /** The checks that found it; none = it was not found. */
  readonly checks: string;
}

async function hunt(mutant: Mutant, histories: number, limitMs: number): Promise<Verdict> {
  const root = makeMutant(mutant);
  const pool = new Pool(undefined, pathToFileURL(join(root, 'server-a/test/simulator/worker.ts')));
  let timer: NodeJS.Timeout | undefined;
  try {
    const stuck = new Promise<Verdict>((resolve) => {
      timer = setTimeout(() => resolve({ histories: 0, checks: 'a history that does not end' }), 2 * limitMs);
    });
    const found = simulate(pool, { firstSeed: 1, histories, limitMs }).then(
      ({ figures, failed }) => ({ histories: figures.histories, checks: checksOf(failed) }),
      // A mutant may do what no check is prepared for.
      () => ({ histories: 0, checks: 'a history that breaks' }),
    );
    return await Promise.race([found, stuck]);
  } finally {
    clearTimeout(timer);
    pool.close();
    rmSync(root, { recursive: true });
  }
}

function checksOf(failed: readonly HistoryReport[]): string {
  return [...new Set(failed.flatMap(({ violations }) => violations.map(({ check }) => check)))].join(', ');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, histories: { type: 'string' }, seconds: { type: 'string' } },
  });
  const histories = Number(values.histories ?? 20_000);
  const limitMs = Number(values.seconds ?? 300) * 1000;
  process.stdout.write('| guard taken away | found by the check of | histories |\n| --- | --- | ---: |\n');
  let missed = 0;
  for (const mutant of mutants()) {
    if (values.only !== undefined && !mutant.name.includes(values.only)) continue;
    const verdict = await hunt(mutant, histories, limitMs);
    if (verdict.checks === '') missed += 1;
    const found = verdict.checks === '' ? '**not found**' : verdict.checks;
    process.stdout.write(`| ${mutant.name}: ${mutant.says} | ${found} | ${verdict.histories} |\n`);
  }
  process.stdout.write(`\n${missed} mutants were not found\n`);
  process.exitCode = missed === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
