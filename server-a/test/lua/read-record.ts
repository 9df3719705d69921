import type { ScriptBench } from '../support/redis.js';

/** Reads a record as the model knows it; its lease runs or is over by Redis's own clock. */
export async function readRecord(bench: ScriptBench, record: string) {
  const value = await bench.redis.get(record);
  if (value === null) return undefined;
  if (value.startsWith('1O')) {
    const { leaseUntil, ...open } = await bench.openRecord(record);
    return { state: 'open', ...open, leaseRuns: leaseUntil > (await bench.now()) };
  }
  const [, id, digest, status, body] = /^1A(.{36})(.{10})(\d{3})(.*)$/s.exec(value) ?? [];
  if (id === undefined) return { state: 'unreadable' };
  return { state: 'answered', id, digest, status: Number(status), body };
}
