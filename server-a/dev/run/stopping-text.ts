import type { BackingService } from './backing-services.js';

/** What `make run` says when it is asked to end: what it stops, and what it leaves running. */
export function stoppingText(services: readonly Pick<BackingService, 'name' | 'startedHere'>[]): string {
  const started = services.filter(({ startedHere }) => startedHere).map(({ name }) => name);
  const yours = services.filter(({ startedHere }) => !startedHere).map(({ name }) => name);
  const stopped = started.length > 0 ? `, then ${started.join(' and ')}` : '';
  const left = yours.length > 0 ? ` (${yours.join(' and ')} ${yours.length > 1 ? 'run' : 'runs'} on)` : '';
  return `Stopping the gateway${stopped}${left} …`;
}
