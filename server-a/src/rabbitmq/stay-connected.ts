/** Which node is tried when, for ever. */
import { setTimeout as pause } from 'node:timers/promises';
import { type RabbitMqNode, tryingOrder } from './nodes.js';

/** Milliseconds to wait when all nodes have failed: the first pause and the longest. Chance takes up to half of it off. */
const PAUSE_MS = { first: 100, most: 2000 };
/** A connection that ends sooner than this (milliseconds) counts as a failure of its node. */
const STABLE_AFTER_MS = 1000;

/** A connection that can be used. */
export interface Usable {
  readonly node: RabbitMqNode;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<Error | undefined>;
}

/** What to do at each step. */
export interface Steps {
  readonly nodes: readonly RabbitMqNode[];
  /** Makes a connection that can be used. @throws Error when that fails */
  readonly connect: (node: RabbitMqNode) => Promise<Usable>;
  /** A node could not be used. */
  readonly failed: (node: RabbitMqNode, err: Error) => void;
  /** A connection has ended that could be used. */
  readonly ended: (node: RabbitMqNode, err: Error | undefined) => void;
  /** Aborted: no further attempt is made. */
  readonly closing: AbortSignal;
}

/**
 * Keeps one connection up until it is told to stop. When it ends the other nodes are tried at once, in random order, and
 * then the one that was left; when all have failed, again after a pause that grows.
 */
export async function stayConnected({ nodes, connect, failed, ended, closing }: Steps): Promise<void> {
  let left: RabbitMqNode | undefined;
  let failures = 0;
  while (!closing.aborted) {
    const connection = await connectToAny();
    const readyAt = performance.now();
    if (connection !== undefined) {
      const err = await connection.ended;
      if (closing.aborted) return;
      left = connection.node;
      ended(left, err);
    }
    const stable = connection !== undefined && performance.now() - readyAt > STABLE_AFTER_MS;
    failures = stable ? 0 : failures + 1;
    if (failures > 0) await pauseFor(pauseMs(failures), closing);
  }

  async function connectToAny(): Promise<Usable | undefined> {
    for (const node of tryingOrder(nodes, left)) {
      if (closing.aborted) return undefined;
      try {
        return await connect(node);
      } catch (thrown) {
        if (!closing.aborted) failed(node, thrown instanceof Error ? thrown : new Error(String(thrown)));
      }
    }
    return undefined;
  }
}

/**
 * Returns milliseconds to wait after so many failures: chance keeps gateways that lost a node together from coming back
 * together.
 */
export function pauseMs(failures: number, random: () => number = Math.random): number {
  return Math.min(PAUSE_MS.first * 2 ** (failures - 1), PAUSE_MS.most) * (1 - random() / 2);
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {});
}
