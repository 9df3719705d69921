import { KeysApart, NotRun, type Route } from './routes.js';
import { RedisUnavailable } from './unavailable.js';

/** What to do when Redis says that a key is elsewhere. Each returns the way, if it is known already. */
export interface Redirections {
  /** A slot has moved for good. */
  readonly moved: (slot: number, address: string) => void;
  /** A slot is moving, and this key is at its new place already, or will be. */
  readonly ask: (address: string) => Route | undefined;
  /** This Redis is no master, or knows of none. */
  readonly notServed: () => void;
}

/** READONLY as a Redis before 7.0 answers it for a command within a script. */
const IN_SCRIPT = /^ERR Error running script .* -READONLY /;

/**
 * Turns what Redis answers as an error into what is thrown: each of these replies says that the script was not run.
 *
 * `TRYAGAIN` comes while a slot with some of a script's keys is on its way. `READONLY` comes from a replica, whose
 * scripts fail at their first write, before they have changed anything.
 */
export function notRunError(error: Error, to: Redirections): Error {
  const [kind, slot = '', address = ''] = error.message.split(' ');
  switch (IN_SCRIPT.test(error.message) ? 'READONLY' : kind) {
    case 'MOVED':
      to.moved(Number(slot), address);
      return new NotRun(error.message);
    case 'ASK':
      return new NotRun(error.message, to.ask(address));
    case 'TRYAGAIN':
      return new KeysApart(error.message);
    case 'READONLY':
      to.notServed();
      return new NotRun(error.message);
    case 'CLUSTERDOWN':
    case 'MASTERDOWN':
    case 'LOADING':
      to.notServed();
      return new RedisUnavailable(error.message, false);
    default:
      return error;
  }
}
