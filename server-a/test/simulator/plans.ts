/** Who sends what in a history. */
import { Choices } from './choices.js';
import type { BodyKind } from './records.js';
import type { Scenario } from './scenario.js';
import type { SenderPlan } from './sender.js';

const NEVER_GIVES_UP = 200;

/** Draws the senders of a history: for each key its own sender, mostly with twins, and now and then others. */
export function plansOf(scenario: Scenario, seed: number): SenderPlan[] {
  const choices = new Choices(seed, 'senders');
  const plans: SenderPlan[] = [];
  const add = (plan: Omit<SenderPlan, 'id'>): void => {
    plans.push({ id: `sender#${plans.length + 1}`, ...plan });
  };
  const { begins, failuresUntil } = scenario;
  let latestBegin = 0;
  /** Some begin in the same moment as the one before, so that their calls go to Redis together. */
  const beginOfOwn = (): number => {
    if (!choices.chance(0.3)) latestBegin = choices.skewed(0, begins);
    return latestBegin;
  };
  for (let n = 1; n <= scenario.keys; n += 1) {
    const key = `key-${n}`;
    const providers = choices.pick([[], [], ['Beta'], ['Beta'], ['Alpha', 'Beta'], ['Nobody'], ['Gamma']]);
    const body: BodyKind = choices.chance(0.06) ? 'invalid' : 'valid';
    const beginsAt = beginOfOwn();
    const plan = { key, client: 'keyed', body, providers, beginsAt, attempts: NEVER_GIVES_UP } as const;
    add(plan);
    const twins = choices.pick([0, 1, 1, 2]);
    for (let twin = 0; twin < twins; twin += 1) {
      const later = choices.pick([0, 1, 5, 100, 1500, 4000, 12_000]);
      add({ ...plan, beginsAt: beginsAt + choices.skewed(0, later + 1) });
    }
    if (choices.chance(0.35)) {
      const other = choices.pick<BodyKind>(['other', 'other', 'invalid', 'unreadable']);
      const at = beginsAt + choices.skewed(0, choices.pick([5, 3000, failuresUntil]));
      // A message of its own: its sender does not give up, or the key's sender would wait for a decision that nobody asks for.
      const attempts = other === 'other' ? NEVER_GIVES_UP : choices.integer(1, 4);
      add({ ...plan, body: other, beginsAt: at, attempts });
    }
    // Somebody who asks again, late.
    if (choices.chance(0.5)) add({ ...plan, beginsAt: beginsAt + choices.skewed(500, failuresUntil) });
  }
  for (let n = 0; n < scenario.unkeyed; n += 1) {
    add({
      key: undefined,
      client: choices.chance(0.1) ? 'off' : 'unkeyed',
      body: choices.chance(0.1) ? 'invalid' : 'valid',
      providers: choices.pick([[], [], ['Beta']]),
      beginsAt: beginOfOwn(),
      attempts: 1,
    });
  }
  return plans;
}
