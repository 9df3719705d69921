/** Calls of one turn of the event loop that go to Redis as one. */
import type { Route, WhenLate } from './routes.js';

/** How a call is made. */
export interface CallOptions<Reply> {
  /** Milliseconds that it waits, if less than usual. */
  readonly limitMs: number | undefined;
  /** The way to its Redis; undefined = where its keys live. */
  readonly route: Route | undefined;
  readonly whenLate: WhenLate<Reply> | undefined;
}

/** A script that answers many requests in one call. */
export interface ManyAtOnce<Request, Reply> {
  /** A name that requests must have in common to go as one. */
  readonly nameOf: (request: Request) => string;
  /** True where one call can answer both, which have one name. */
  readonly isAlike: (one: Request, other: Request) => boolean;
  /** A key that only one request of a call may have; undefined = the script does not mind. */
  readonly keyOf: (request: Request) => string | undefined;
  /** Makes one call for all of them; resolves to their replies in the same order. @param first the first of them */
  readonly call: (
    first: Request,
    requests: readonly Request[],
    options: CallOptions<readonly Reply[]>,
  ) => Promise<readonly Reply[]>;
  /** True where each request may be sent alone after a call for several has ended with this error. */
  readonly mayGoAlone: (error: unknown) => boolean;
}

interface Waiting<Request, Reply> extends CallOptions<Reply> {
  readonly request: Request;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

/** The calls that go as one: at the least one. */
type Group<Request, Reply> = [Waiting<Request, Reply>, ...Waiting<Request, Reply>[]];

/** Requests that one call takes at the most: Redis serves nobody else meanwhile. */
const MOST = 100;
/** Milliseconds by which the limits of two calls may differ that go as one. */
const LIMITS_DIFFER_MS = 5;

/**
 * Gathers the calls that are made in one turn of the event loop, and sends those that are alike as one: under load a turn
 * reads many requests, replies and confirms, and much of what a call costs the gateway and Redis is paid once, however many
 * requests it serves. No call waits longer than its own turn.
 *
 * Where Redis answers a call for several with an error, each of them goes alone, if the script allows it: so a faulty record
 * fails its own request, and no other.
 */
export class Gatherer<Request, Reply> {
  readonly #script: ManyAtOnce<Request, Reply>;
  readonly #turnEnd: () => Promise<void>;
  #waiting: Waiting<Request, Reply>[] = [];

  /** @param turnEnd resolves at the end of the turn; gatherers that share it send in one write */
  constructor(script: ManyAtOnce<Request, Reply>, turnEnd: () => Promise<void>) {
    this.#script = script;
    this.#turnEnd = turnEnd;
  }

  /** Makes a call, with others of this turn where there are any. Rejects as the script's call does. */
  call(
    request: Request,
    limitMs: number | undefined,
    route?: Route,
    whenLate?: WhenLate<Reply>,
  ): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      if (this.#waiting.length === 0) void this.#turnEnd().then(this.#send);
      this.#waiting.push({ request, limitMs, route, whenLate, resolve, reject });
    });
  }

  readonly #send = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    const [first] = waiting;
    if (first !== undefined && waiting.length === 1) this.#sendAsOne([first]);
    else for (const group of this.#groupsOf(waiting)) this.#sendAsOne(group);
  };

  /** Returns who goes with whom, in the order in which they are sent: calls on one key stay in their order. */
  #groupsOf(waiting: readonly Waiting<Request, Reply>[]): readonly Group<Request, Reply>[] {
    const all: Group<Request, Reply>[] = [];
    const open = new Map<string, Group<Request, Reply>[]>();
    const keys = new Set<string>();
    for (const call of waiting) {
      const key = this.#script.keyOf(call.request);
      if (key !== undefined && keys.has(key)) {
        open.clear();
        keys.clear();
      }
      if (key !== undefined) keys.add(key);
      const name = this.#script.nameOf(call.request);
      const named = open.get(name);
      const group = named?.find((group) => group.length < MOST && this.#fits(group[0], call));
      if (group !== undefined) {
        group.push(call);
        continue;
      }
      const ofItsOwn: Group<Request, Reply> = [call];
      all.push(ofItsOwn);
      if (named === undefined) open.set(name, [ofItsOwn]);
      else named.push(ofItsOwn);
    }
    return all;
  }

  #fits(first: Waiting<Request, Reply>, call: Waiting<Request, Reply>): boolean {
    return (
      first.route?.link === call.route?.link &&
      // While a slot moves, each key may be at another place.
      first.route?.asking !== true &&
      call.route?.asking !== true &&
      isNear(first.limitMs, call.limitMs) &&
      this.#script.isAlike(first.request, call.request)
    );
  }

  #sendAsOne(group: Group<Request, Reply>, passedMs = 0): void {
    const sentAt = performance.now();
    this.#call(group, passedMs).then(
      (replies) => {
        group.forEach(({ resolve, reject }, index) => {
          const reply = replies[index];
          if (reply === undefined) reject(tooFew());
          else resolve(reply);
        });
      },
      (error: unknown) => {
        const isAlone = group.length === 1 || !this.#script.mayGoAlone(error);
        for (const call of group) {
          if (isAlone) call.reject(error);
          else this.#sendAsOne([call], performance.now() - sentAt);
        }
      },
    );
  }

  /** @param passedMs what of the calls' time has passed already */
  #call(group: Group<Request, Reply>, passedMs: number): Promise<readonly Reply[]> {
    const [{ request, route, whenLate }] = group;
    const limitMs = leastLimit(group);
    const tellAll = (late: Promise<readonly Reply[]>): void => {
      group.forEach((call, index) => {
        call.whenLate?.(late.then((replies) => replies[index] ?? Promise.reject(tooFew())));
      });
    };
    try {
      return this.#script.call(
        request,
        group.map((call) => call.request),
        {
          limitMs: limitMs === undefined || passedMs === 0 ? limitMs : Math.max(1, limitMs - passedMs),
          route,
          whenLate: whenLate === undefined ? undefined : tellAll,
        },
      );
    } catch (error) {
      // There is no way to its Redis now.
      return Promise.reject(error);
    }
  }
}

const tooFew = (): Error => new Error('a script gave too few replies');

const isNear = (one: number | undefined, other: number | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && Math.abs(one - other) < LIMITS_DIFFER_MS);

function leastLimit(group: readonly Pick<CallOptions<unknown>, 'limitMs'>[]): number | undefined {
  let least: number | undefined;
  for (const { limitMs } of group) {
    if (limitMs !== undefined && (least === undefined || limitMs < least)) least = limitMs;
  }
  return least;
}
