/** How many files and connections the system lets this process have open. */
import { readFileSync } from 'node:fs';

/** Descriptors kept for all that is no sender's connection: operators, Redis, RabbitMQ, the log, configuration files. */
const RESERVED = 128;

/**
 * Returns how many connections of senders fit into the process's limit of open files; Infinity where the system does not
 * say (it is not Linux). At that limit, connections would be closed as they come, and nobody would be told.
 */
export function connectionsThatFit(limits = readLimits()): number {
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.max(1, soft - RESERVED);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
