/** Checks that a refusal which is only for now ends when its reason has ended. */
import type { RequestRecord } from './records.js';
import { CLIENTS } from './settings.js';
import type { World } from './world.js';

/** Milliseconds that a temporary refusal is kept for its key, at the most. */
const KEPT_MS = 60_000;
const DAY_MS = 86_400_000;
/** Milliseconds since midnight within which what was refused yesterday must not be refused for today. */
const JUST_NOW_MS = 300_000;
/** Milliseconds between the decision and its storing, and for clocks of two Redis that differ. */
const SLACK_MS = 6000;

/** A 429 or a 503 must have had a reason a minute ago, or later. */
export function checkTemporaryRefusals(world: World): void {
  // Whoever stood still may have decided before, and stored after it.
  const longestFreeze = Math.max(
    0,
    ...world.processes.flatMap(({ frozen }) => frozen.map(({ from, until }) => until - from)),
  );
  const { skews } = world.redis;
  // Set back, a clock keeps records for longer.
  const setBack = Math.max(...skews) - Math.min(...skews);
  for (const record of world.requests) {
    const { answer, answeredAt, client } = record;
    if (answer === undefined || answeredAt === undefined || client !== 'keyed') continue;
    if (answer.reason === 'rate') {
      checkRate(world, record);
      continue;
    }
    if (answer.status === 429) checkReset(world, record, answeredAt, answer.retryAfter ?? 0);
    const from = answeredAt - KEPT_MS - SLACK_MS - longestFreeze - setBack;
    if (from <= 0) continue;
    if (answer.status === 429 && !wasUsedUp(world, from, answeredAt, SLACK_MS + longestFreeze)) {
      world.violated('temporary', `${record.id} was told 429 a minute after there were units again`);
    }
    if (answer.status === 503 && !wasUnavailable(world, from, answeredAt)) {
      world.violated('temporary', `${record.id} was told 503 a minute after there were providers again`);
    }
  }
}

/** Too many in a second is said where the client has a limit, is over in a second, and is never kept for the key. */
function checkRate(world: World, { id, answer }: RequestRecord): void {
  if (world.scenario.perSecond === undefined) world.violated('rate', `${id} was throttled without a limit`);
  if (answer?.retryAfter !== 1) world.violated('rate', `${id} was throttled for ${answer?.retryAfter} s`);
  if (answer?.replayed) world.violated('rate', `${id} was told again that there were too many in a second`);
}

/** Who is sent away until the end of a day that has begun just now must have used up that day. */
function checkReset(
  world: World,
  { id, process, arrivedAt = 0 }: RequestRecord,
  answeredAt: number,
  retryAfter: number,
): void {
  if (!(retryAfter >= 1 && retryAfter * 1000 <= DAY_MS)) {
    world.violated('temporary', `${id} was sent away for ${retryAfter} s, which is not the rest of a day`);
    return;
  }
  if (retryAfter * 1000 < DAY_MS - JUST_NOW_MS) return;
  // Whoever stood still over midnight, with yesterday's refusal in hand, counts to the next one.
  if (process === undefined || process.frozenWithin(arrivedAt, answeredAt) > 0) return;
  const { counters, redis, registries, scenario } = world;
  const dayEndMs = scenario.epochMs + answeredAt + retryAfter * 1000;
  const days = redis.skews.map((skew) => new Date(dayEndMs + skew - DAY_MS / 2).toISOString().slice(0, 10));
  // Any quota that was in force: a request is judged by the one that it came under.
  const least = Math.min(...registries.filter(({ at }) => at <= answeredAt).map(({ state }) => state.quota));
  const isUsedUp = counters.some(({ at, key, units }) => {
    return at <= answeredAt && units >= least && days.some((day) => key === `quota:${CLIENTS.keyed}:${day}`);
  });
  if (isUsedUp || least === 0) return;
  world.violated(
    'temporary',
    `${id} was sent away for ${retryAfter} s of a day whose units were not used up`,
  );
}

/**
 * True if some gateway's quota was reached by the counter of some day, at some time of a span.
 *
 * @param servedMs milliseconds after a reload during which a request that came before it may still be served
 */
function wasUsedUp(world: World, from: number, until: number, servedMs: number): boolean {
  const { counters, registries } = world;
  const units = spans(
    counters.filter(({ key }) => key.startsWith(`quota:${CLIENTS.keyed}:`)),
    ({ key }) => key,
  );
  const quotas = spans(registries, ({ gateway }) => gateway);
  return quotas.some((quota) => {
    const judgedUntil = quota.until + servedMs;
    if (quota.from > until || judgedUntil < from) return false;
    if (quota.value.state.quota === 0) return true;
    return units.some(
      (unit) =>
        unit.value.units >= quota.value.state.quota &&
        Math.max(unit.from, quota.from, from) <= Math.min(unit.until, judgedUntil, until),
    );
  });
}

function wasUnavailable(world: World, from: number, until: number): boolean {
  return spans(world.registries, ({ gateway }) => gateway).some(
    ({ value, from: begin, until: end }) =>
      !value.state.alpha && !value.state.beta && begin <= until && end >= from,
  );
}

interface Span<T> {
  readonly value: T;
  readonly from: number;
  readonly until: number;
}

/** Turns changes into the spans during which each value was in force. @param of names what changed */
function spans<T extends { readonly at: number }>(
  changes: readonly T[],
  of: (change: T) => string,
): Span<T>[] {
  return changes.map((value, index) => {
    const next = changes.slice(index + 1).find((later) => of(later) === of(value));
    return { value, from: value.at, until: next?.at ?? Number.POSITIVE_INFINITY };
  });
}
