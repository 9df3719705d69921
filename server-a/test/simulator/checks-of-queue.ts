/** Checks of what is in the queue, and of what is counted for it. */
import { createHmac } from 'node:crypto';
import type { Excuses } from './checks-of-answers.js';
import { CLIENTS } from './settings.js';
import type { World } from './world.js';

/** Checks ids and units at the end of a history. */
export function checkQueue(world: World, excuses: Excuses): void {
  checkIds(world, excuses);
  checkTexts(world, excuses);
  checkCounters(world, excuses);
  checkKeyedUnits(world, excuses);
  checkUnkeyedUnits(world, excuses);
}

/** One key has one tracking id, told or queued, within an epoch: whatever Redis forgets. */
function checkIds(world: World, { shortLives }: Excuses): void {
  const ids = new Map<string, Set<string>>();
  const keyOf = new Map<string, string>();
  const add = (key: string | undefined, id: string | undefined): void => {
    if (id === undefined) return;
    const name = key ?? `no key (${id})`;
    ids.set(name, (ids.get(name) ?? new Set()).add(id));
    const other = keyOf.get(id);
    if (other !== undefined && other !== name) world.violated('ids', `${id} is of ${other} and of ${name}`);
    keyOf.set(id, name);
  };
  for (const { key, trackingId } of world.broker.queue) add(key, trackingId);
  for (const { key, answer } of world.requests) add(key, answer?.trackingId);
  for (const [key, found] of ids) {
    if (key.startsWith('no key')) continue;
    const expected = expectedIds(world, key);
    const strange = [...found].filter((id) => !expected.has(id));
    if (strange.length > 0) world.violated('ids', `${key} has an id of no epoch: ${strange}`);
    const most = shortLives ? expected.size : 1;
    if (found.size > most) world.violated('ids', `${key} has ${found.size} ids: ${[...found]}`);
  }
}

/** One tracking id is one message: a consumer drops the second, whatever it says. */
function checkTexts(world: World, { losses }: Excuses): void {
  // Whoever asks first after a loss is the first: Redis no longer knows another body.
  if (losses) return;
  const texts = new Map<string, string>();
  for (const { trackingId, text } of world.broker.queue) {
    const known = texts.get(trackingId);
    if (known === undefined) texts.set(trackingId, text);
    else if (known !== text)
      world.violated('bodies', `${trackingId} is in the queue as "${known}" and "${text}"`);
  }
}

const DAY_MS = 86_400_000;

/** Counters are of days that Redis has seen, never below zero, and never above a quota that was in force. */
function checkCounters(world: World, { losses }: Excuses): void {
  const { epochMs } = world.scenario;
  const day = (ms: number): number => Math.floor((epochMs + ms) / DAY_MS);
  const [slowest, fastest] = [Math.min(...world.redis.skews), Math.max(...world.redis.skews)];
  for (const { at, key, units } of world.counters) {
    const counted = Math.floor(Date.parse(key.slice(-10)) / DAY_MS);
    // Redis's clock may have been set back or ahead.
    if (counted < day(slowest - 3000) || counted > day(at + fastest + 3000))
      world.violated('days', `${key} counts at ${at} ms`);
    if (units < 0) world.violated('units', `${key} counts ${units}`);
    if (losses || !key.startsWith(`quota:${CLIENTS.keyed}:`)) continue;
    const quotas = world.registries.filter((registry) => registry.at <= at).map(({ state }) => state.quota);
    if (units > Math.max(...quotas))
      world.violated('quota', `${key} counts ${units}, more than any quota in force`);
  }
}

/** The ids that a key may have within the history, as the design says; not the gateway's own code. */
function expectedIds(world: World, key: string): ReadonlySet<string> {
  const ttl = world.scenario.settings.ttlSeconds;
  let hash = 0x811c9dc5;
  for (const character of key) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  const offset = (hash >>> 0) % ttl;
  const seconds = (ms: number): number => Math.floor((world.scenario.epochMs + ms) / 1000);
  const { skews } = world.redis;
  const first = Math.floor((seconds(Math.min(...skews) - 2000) + offset) / ttl);
  const last = Math.floor((seconds(world.time.now + Math.max(...skews) + 2000) + offset) / ttl);
  const ids = new Set<string>();
  for (let epoch = first; epoch <= last; epoch += 1) {
    const bytes = createHmac('sha256', 'the simulator has no secrets')
      .update(`${CLIENTS.keyed}\0${key}\0${ttl}\0${epoch}`)
      .digest();
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    ids.add(bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
  }
  return ids;
}

function unitsOf(world: World, client: string): number {
  return world.redis.data
    .entries(world.redis.nowMs)
    .filter(([key]) => key.startsWith(`quota:${client}:`))
    .reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Units are what reached the broker: each key's message once. */
function checkKeyedUnits(world: World, { losses, shortLives }: Excuses): void {
  if (losses || shortLives) return;
  const units = unitsOf(world, CLIENTS.keyed);
  const queued = new Set(
    world.broker.queue.flatMap(({ key, trackingId }) => (key === undefined ? [] : trackingId)),
  );
  if (units !== queued.size)
    world.violated('units', `${units} units are counted for ${queued.size} messages`);
}

/**
 * Without a key: no message is free; and a unit too many only where the outcome is unknown, a gateway was killed, or a call
 * to Redis was lost with its connection. A reply that is only late, also because its gateway stood still, costs no unit.
 */
function checkUnkeyedUnits(world: World, { losses }: Excuses): void {
  if (losses) return;
  const units = unitsOf(world, CLIENTS.unkeyed);
  const queued = new Set(
    world.broker.queue.flatMap(({ key, trackingId }) => (key === undefined ? trackingId : [])),
  );
  if (units < queued.size)
    world.violated('units', `${units} units are counted for ${queued.size} unkeyed messages`);
  const unclear = world.requests.filter(
    ({ key, answer }) => key === undefined && (answer === undefined || answer.status === 500),
  );
  const heardAll = world.redis.lostCalls === 0 && world.deaths === 0;
  const unknown = heardAll ? unclear.filter(({ answer }) => answer?.accepted !== 'no') : unclear;
  if (units > queued.size + unknown.length) {
    world.violated(
      'units',
      `${units} units are counted for ${queued.size} unkeyed messages, ${unknown.length} unknown`,
    );
  }
}
