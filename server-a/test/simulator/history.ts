/** Runs one history: from a seed to what was wrong with it. */
import { createHash } from 'node:crypto';
import { Batcher } from './batcher.js';
import { checkAnswers } from './checks-of-answers.js';
import { checkCalm } from './checks-of-calm.js';
import { checkQueue } from './checks-of-queue.js';
import { checkTemporaryRefusals } from './checks-of-temporary-refusals.js';
import { Choices } from './choices.js';
import { scheduleHappenings } from './happenings.js';
import { type Injected, InjectedFailures } from './injected-failures.js';
import { mayBeItem, requestOf } from './messages.js';
import { plansOf } from './plans.js';
import type { RequestRecord } from './records.js';
import { type Scenario, scenarioOf } from './scenario.js';
import { Sender, type SenderPlan } from './sender.js';
import { useTime } from './virtual-globals.js';
import { VirtualTime } from './virtual-time.js';
import { type Violation, World } from './world.js';

/** Milliseconds that the healed world is given until every sender has its decision. */
const HEALING_MS = 900_000;
/** Milliseconds after which nothing may wait any more: the longest is a settlement that is tried again for 60 s. */
const SETTLING_MS = 130_000;

/** A history to run. */
export interface HistoryOptions {
  readonly seed: number;
  /** Ids of what is injected, and of the senders that take part; undefined = the seed decides. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Keeps the trace's lines. */
  readonly keepTrace?: boolean;
}

/** What became of a history. */
export interface HistoryResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** All that was injected, and the senders. */
  readonly made: readonly Injected[];
  /** Empty unless it was kept. */
  readonly trace: readonly string[];
  /** SHA-256 of the trace: the same for the same history. */
  readonly hash: string;
  readonly scenario: Scenario;
  readonly virtualMs: number;
  readonly requests: number;
  readonly messages: number;
}

/** Rejections that nobody handled, told by {@link watchRejections}. */
const rejections: string[] = [];

/** Begins to watch for unhandled rejections; call once in a process. */
export function watchRejections(): void {
  process.on('unhandledRejection', (reason) => {
    rejections.push(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason));
  });
}

/** Runs a history. */
export async function runHistory({ seed, only, keepTrace = false }: HistoryOptions): Promise<HistoryResult> {
  const time = new VirtualTime();
  const hash = createHash('sha256');
  const trace: string[] = [];
  const write = (line: string): void => {
    const stamped = `${(time.now / 1000).toFixed(4).padStart(10)}  ${line}`;
    hash.update(stamped);
    if (keepTrace) trace.push(stamped);
  };
  const scenario = scenarioOf(new Choices(seed, 'scenario'));
  const failures = new InjectedFailures(seed, only, () => time.now);
  useTime(time);
  rejections.length = 0;
  try {
    const world = new World(seed, scenario, time, failures, write);
    await live(world);
    for (const what of rejections) world.violated('rejections', what);
    return {
      seed,
      violations: world.violations,
      made: failures.made,
      trace,
      hash: hash.digest('hex'),
      scenario,
      virtualMs: time.now,
      requests: world.requests.length,
      messages: world.broker.queue.length,
    };
  } finally {
    useTime(undefined);
  }
}

async function live(world: World): Promise<void> {
  const { time, failures, scenario, seed } = world;
  let healed = false;
  let over = false;
  // Gateways are there and connected, mostly, before the first request.
  await time.run(scenario.calm ? 3000 : new Choices(seed, 'start').pick([0, 100, 100, 100]));
  scheduleHappenings(world);
  const plans = plansOf(scenario, seed).filter(({ id, key, body }) =>
    failures.takesPlace(id, `asks for ${key ?? 'no key'} (${body})`),
  );
  const companies = new Choices(seed, 'companions');
  const batcher = new Batcher(world, new Choices(seed, 'batches'), () =>
    healed || companies.chance(0.3)
      ? []
      : plans
          .filter((plan) => mayBeItem(plan) && companies.chance(0.5))
          .map((plan) => ({ record: recordOf(world, plan), providers: plan.providers })),
  );
  const senders = plans.map((plan) => {
    const balancer = new Choices(seed, `${plan.id}/balancer`);
    const batching = new Choices(seed, `${plan.id}/batches`);
    return new Sender(
      { ...plan, beginsAt: plan.beginsAt + time.now },
      {
        now: () => time.now,
        after: (ms, run) => time.after(Math.max(0, ms), run),
        send: (sent, onEnd) => {
          const inBatch = mayBeItem(sent) && batching.chance(scenario.batches.rate);
          sendOne(world, sent, balancer, inBatch ? batcher : undefined, (record) => onEnd(record.answer));
        },
        impatience: scenario.impatience,
        mayMisbehave: () => !healed,
        isOver: () => over,
      },
      new Choices(seed, plan.id),
    );
  });
  await time.run(scenario.failuresUntil);
  healed = true;
  failures.stop();
  world.trace('--- from here on nothing fails any more');
  // After the reloads that are still on their way.
  time.after(400, () => world.reload({ quota: 1000, alpha: true, beta: true }, new Choices(seed, 'healing')));
  world.broker.queueMissing = false;
  await time.run(time.now + HEALING_MS, () => senders.every(({ done }) => done));
  // Another body for a key whose own sender has its answer already, but whose record is still open, waits for ever.
  const undecided = senders.filter(({ done, lastAnswer }) => !done && lastAnswer?.mismatch !== true);
  for (const { plan } of undecided) world.violated('decisions', `${plan.id} has no decision`);
  over = true;
  await time.run(time.now + SETTLING_MS);
  // A heartbeat may be on its way at any moment.
  const isIdle = (): boolean => world.slots.every(({ gateway }) => gateway?.publisher.inFlight === 0);
  if (!isIdle()) await time.run(time.now + 2000, isIdle);
  const excused = { losses: scenario.losses, shortLives: scenario.shortLives };
  checkWaits(world);
  checkAnswers(world, excused);
  checkQueue(world, excused);
  checkTemporaryRefusals(world);
  checkCalm(world);
  for (const slot of world.slots) world.stop(slot, false);
  await time.run(time.now + 12_000);
  for (const { gateway } of world.slots) {
    if (gateway !== undefined) world.violated('shutdown', `${gateway.process.name} did not end`);
  }
}

function recordOf(world: World, { id, key, body, client }: SenderPlan): RequestRecord {
  return { id: world.newRequestId(), sender: id, key, body, client, sentAt: world.time.now };
}

function sendOne(
  world: World,
  plan: SenderPlan,
  balancer: Choices,
  batcher: Batcher | undefined,
  onEnd: (record: RequestRecord) => void,
): void {
  const record = recordOf(world, plan);
  const slot = balancer.pick(world.slots);
  const { providers } = plan;
  if (batcher?.add(slot, { record, providers, onEnd }) === true) return;
  world.send([record], requestOf({ record, providers }), slot, onEnd);
}

/** After all that time nothing may wait. */
function checkWaits(world: World): void {
  for (const { gateway, name } of world.slots) {
    if (gateway === undefined) {
      world.violated('shutdown', `${name} is not there at the end`);
      continue;
    }
    const { settlement, publisher } = gateway;
    if (settlement.waiting > 0) world.violated('waits', `${settlement.waiting} settlements of ${name} wait`);
    if (publisher.inFlight > 0) world.violated('waits', `${publisher.inFlight} publishes of ${name} wait`);
  }
}
