/** Runs many histories and adds up what was in them. */
import type { HistoryReport, Pool } from './pool.js';

/** What many histories had in common. */
export interface Figures {
  histories: number;
  virtualMs: number;
  requests: number;
  messages: number;
  /** Injected failures by kind. */
  readonly failures: Map<string, number>;
}

/** What came out of a run. */
export interface Simulation {
  readonly figures: Figures;
  /** Histories with something wrong, in the order in which they ended. */
  readonly failed: readonly HistoryReport[];
}

/** How long to go on. */
export interface SimulationOptions {
  readonly firstSeed: number;
  readonly histories: number;
  /** Milliseconds of real time; undefined = no limit. */
  readonly limitMs?: number | undefined;
  /** Ends at this many failing histories. */
  readonly mostFailed?: number;
}

/** Runs histories of consecutive seeds. */
export async function simulate(
  pool: Pool,
  { firstSeed, histories, limitMs = Number.POSITIVE_INFINITY, mostFailed = 1 }: SimulationOptions,
): Promise<Simulation> {
  const figures: Figures = { histories: 0, virtualMs: 0, requests: 0, messages: 0, failures: new Map() };
  const failed: HistoryReport[] = [];
  const began = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < histories && failed.length < mostFailed && performance.now() - began < limitMs) {
      const seed = firstSeed + next;
      next += 1;
      const report = await pool.run({ seed });
      add(figures, report);
      if (report.violations.length > 0) failed.push(report);
    }
  };
  await Promise.all(Array.from({ length: pool.size }, work));
  return { figures, failed };
}

function add(figures: Figures, { virtualMs, requests, messages, made }: HistoryReport): void {
  figures.histories += 1;
  figures.virtualMs += virtualMs;
  figures.requests += requests;
  figures.messages += messages;
  for (const { id, what } of made) {
    const kind = kindOf(id, what);
    if (kind !== undefined) figures.failures.set(kind, (figures.failures.get(kind) ?? 0) + 1);
  }
}

/** Names the kind of an injected failure; undefined for a sender. */
function kindOf(id: string, what: string): string | undefined {
  if (id.startsWith('sender')) return undefined;
  if (id.includes('/freeze')) return 'gateway stands still between two steps';
  if (id.includes('/kill')) return 'gateway is killed between two steps';
  if (id.includes('/to-redis')) return `command to Redis ${/ is (.+) \(/.exec(what)?.[1]}`;
  if (id.includes('/to-broker')) return `message ${/ is (.+) \(/.exec(what)?.[1]}`;
  return what
    .replace(/ (?:for|by) -?\d+ ms.*$/, '')
    .replace(/, while .*$/, '')
    .replace(/^.*\bg\d\b/, (start) => start.replace(/g\d/, 'a gateway'))
    .replace(/,.*$/, '');
}
