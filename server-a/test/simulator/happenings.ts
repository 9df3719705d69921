/** What happens to the whole world, or to one gateway, at times that the seed names. */
import { Choices } from './choices.js';
import type { GatewaySlot } from './gateway-slot.js';
import type { Happening, Loss } from './scenario.js';
import type { World } from './world.js';

const SPANS = [100, 400, 600, 1300, 2700, 4000, 8000, 14_000];

/** Lets all of a history's happenings happen, each unless the history is repeated without it. */
export function scheduleHappenings(world: World): void {
  world.scenario.happenings.forEach(({ at, what }, index) => {
    const id = `world#${index + 1}`;
    const choices = new Choices(world.seed, id);
    world.time.after(at, () => {
      const detail = describe(what, choices, world);
      if (!world.failures.takesPlace(id, detail.text)) return;
      world.trace(`--- ${detail.text}`);
      detail.happen();
    });
  });
}

interface Detail {
  readonly text: string;
  readonly happen: () => void;
}

function describe(what: Happening | Loss, choices: Choices, world: World): Detail {
  const { redis, broker, time, scenario } = world;
  const slot: GatewaySlot = choices.pick(world.slots);
  const ms = Math.round(choices.pick(SPANS) * (0.8 + 0.4 * choices.next()));
  const forAWhile = (begin: () => void, end: () => void) => (): void => {
    begin();
    time.after(ms, end);
  };
  switch (what) {
    case 'redis stands still':
      return { text: `${what} for ${ms} ms`, happen: () => redis.freeze(ms) };
    case 'redis is down':
      return { text: `${what} for ${ms} ms`, happen: () => redis.stop(ms) };
    case 'connections to redis are cut':
      return { text: what, happen: () => redis.cutAll() };
    case 'redis is slow':
      return {
        text: `the network is slow for ${ms} ms`,
        happen: forAWhile(
          () => {
            world.latency = 100;
          },
          () => {
            world.latency = scenario.latency;
          },
        ),
      };
    case 'the clock of redis jumps': {
      const by = choices.pick([-30_000, -2000, -300, 300, 2000, 30_000]);
      return { text: `${what} by ${by} ms`, happen: () => redis.jump(by) };
    }
    case 'broker stands still':
      return { text: `${what} for ${ms} ms`, happen: () => broker.freeze(ms) };
    case 'broker is down':
      return { text: `${what} for ${ms} ms`, happen: () => broker.stop(ms) };
    case 'connections to the broker are cut':
      return { text: what, happen: () => broker.cutAll() };
    case 'broker blocks':
      return {
        text: `${what} for ${ms} ms`,
        happen: forAWhile(
          () => broker.setBlocked(true),
          () => broker.setBlocked(false),
        ),
      };
    case 'queue is missing':
      return {
        text: what,
        happen: () => {
          broker.queueMissing = true;
        },
      };
    case 'gateway is killed':
      return { text: `${slot.name} is killed`, happen: () => world.kill(slot) };
    case 'gateway ends in order': {
      const withRedis = choices.chance(0.4);
      return {
        text: `${slot.name} ends in order${withRedis ? `, while redis stands still for ${ms} ms` : ''}`,
        happen: () => {
          if (withRedis) redis.freeze(ms);
          world.stop(slot);
        },
      };
    }
    case 'gateway stands still':
      return {
        text: `${slot.name} stands still for ${ms} ms`,
        happen: () => slot.gateway?.process.freeze(ms),
      };
    case 'wall clock jumps': {
      const by = choices.pick([-3_600_000, -30_000, 30_000, 3_600_000, 86_400_000]);
      return {
        text: `the wall clock of ${slot.name} jumps by ${by} ms`,
        happen: () => {
          slot.wallClockSkew += by;
        },
      };
    }
    case 'no provider is available':
      return {
        text: `${what} for ${ms} ms`,
        happen: forAWhile(
          () => world.reload({ alpha: false, beta: false }, choices),
          () => world.reload({ alpha: true, beta: true }, choices),
        ),
      };
    case 'Beta is disabled':
      return {
        text: `${what} for ${ms} ms`,
        happen: forAWhile(
          () => world.reload({ beta: false }, choices),
          () => world.reload({ beta: true }, choices),
        ),
      };
    case 'quota is lowered':
      return { text: what, happen: () => world.reload({ quota: choices.pick([0, 1, 2]) }, choices) };
    case 'quota is raised':
      return { text: what, happen: () => world.reload({ quota: 1000 }, choices) };
    case 'redis fails over': {
      const count = choices.integer(1, 12);
      const skew = choices.pick([0, 0, -400, 300, -5000, 5000, -40_000, 40_000]);
      return {
        text: `redis fails over, and lacks the newest ${count} writes; its clock differs by ${skew} ms`,
        happen: () => redis.failOver(count, skew),
      };
    }
    case 'redis forgets everything':
      return { text: what, happen: () => redis.data.forgetAll() };
  }
}
