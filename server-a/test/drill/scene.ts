/** A scene of the drill: what is done to the stack, and which alerts must come of it, in which time. */
import type { Replica, Stack } from './stack.js';
import type { Watchers } from './watchers.js';

/** One scene. Scenes run one after the other on one stack; each leaves it as it was. */
export interface Scene {
  readonly title: string;
  /** Begins it; what it returns ends it. */
  readonly begin: (stack: Stack, watchers: Watchers) => Promise<() => Promise<void>>;
  /** Seconds within which each alert must be at Alertmanager, by `name severity`. Empty: none may come. */
  readonly expected: Readonly<Record<string, number>>;
  /** Seconds before which an expected alert would be a false one, by `name severity`. */
  readonly notBefore?: Readonly<Record<string, number>>;
  /** Further alerts that may come, as `name severity`: they follow from the same cause. */
  readonly allowed?: readonly string[];
  /** Seconds to watch at the least: for scenes in which nothing may fire. */
  readonly watchSeconds?: number;
}

/** Has the broker refuse what is sent to some queues, until the policy is taken away. */
export async function refuseMessages(stack: Stack, policy: string, queues: string): Promise<void> {
  const refuse = '{"max-length":0,"overflow":"reject-publish"}';
  await stack.rabbitmq.ctl('set_policy', policy, queues, refuse, '--apply-to', 'queues');
}

/** Does something again and again until it is stopped. */
export function repeat(everyMs: number, act: () => void): () => Promise<void> {
  const timer = setInterval(act, everyMs);
  return async () => clearInterval(timer);
}

/** The replica that has run for the longest. @throws where there is none */
export const first = (stack: Stack): Replica => {
  const [replica] = stack.replicas;
  if (replica === undefined) throw new Error('no replica');
  return replica;
};
