/**
 * The scripts as one batch calls them: the calls that its items make in one turn go out together, as one common call.
 *
 * Over 250 lines: admissions and endings share how they are gathered.
 */
import { callOn, NotRun, type RedisRoutes, type Route } from './routes.js';
import {
  type AdmitReply,
  type AdmitRequest,
  type AttemptScripts,
  fields,
  type RefuseReply,
  type RefuseRequest,
  readAdmit,
  readRefuse,
  readSettle,
  type Scripts,
  type SettleReply,
  type SettleRequest,
  type Window,
} from './scripts.js';
import { RedisUnavailable } from './unavailable.js';

/** A call that waits for the others of its turn. */
interface Waiting {
  readonly recordKey: string;
  /** Its part of the common call, beside its key. */
  readonly word: string;
  readonly limitMs: number | undefined;
  /** Takes the reply to that part. @throws Error for a reply that no header names */
  readonly take: (raw: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Makes the call alone. */
  readonly alone: (limitMs: number | undefined) => void;
}

/** An item to admit, or to refuse. */
interface Asked extends Waiting {
  readonly limitMs: number;
  readonly route: Route;
  readonly strict: boolean;
  readonly window: Window;
  /** Undefined = it is to be refused. */
  readonly charge: AdmitRequest | undefined;
  /** Undefined = it is to be admitted. */
  readonly refusal: RefuseRequest | undefined;
}

/** An attempt to end. */
interface Ended extends Waiting {
  readonly request: SettleRequest;
}

/**
 * Gathers the calls of one batch, whose items are all of one client, and whose attempts have one owner's name: each is on
 * a key of its own. A call that does not fit the first call of its turn (its counter is another day's, or its way another)
 * goes alone. So does the call of an item that asks again.
 *
 * Where Redis answers a common call with an error, the call of each item is made alone: so a faulty record fails its own
 * item, and no other. The scripts allow it: `admit_batch` has then changed nothing, and attempts may be ended twice.
 */
export class GatheredScripts implements AttemptScripts {
  readonly #scripts: AttemptScripts;
  readonly #routes: RedisRoutes;
  readonly #refusalsKey: string;
  #asked: Asked[] = [];
  #ended: Ended[] = [];
  #hasAsked = false;
  #used: number | undefined;

  /** @param refusalsKey key of the count of the client's stored refusals */
  constructor(scripts: AttemptScripts, routes: RedisRoutes, refusalsKey: string) {
    this.#scripts = scripts;
    this.#refusalsKey = refusalsKey;
    this.#routes = routes;
  }

  /** Units of the day's quota that are used, as far as this batch was told; undefined = it was not told. */
  get used(): number | undefined {
    return this.#used;
  }

  /** As {@link Scripts.admit}, together with the others of this turn. */
  admit(request: AdmitRequest, limitMs: number, route = this.#routes.routeOf(request.recordKey)) {
    const { recordKey, id, digest, strict } = request;
    return new Promise<AdmitReply>((resolve, reject) => {
      this.#gather(this.#asked, {
        recordKey,
        word: id + digest,
        limitMs,
        route,
        strict,
        window: request,
        charge: request,
        refusal: undefined,
        take: (raw) => resolve(typeof raw === 'number' ? claimedAnew(id, raw) : readAdmit(raw)),
        reject,
        alone: (leftMs = limitMs) => void this.#scripts.admit(request, leftMs, route).then(resolve, reject),
      });
    });
  }

  /** As {@link Scripts.refuse}, together with the others of this turn. */
  refuse(request: RefuseRequest, limitMs: number, route = this.#routes.routeOf(request.recordKey)) {
    const { recordKey, id, strict } = request;
    return new Promise<RefuseReply>((resolve, reject) => {
      this.#gather(this.#asked, {
        recordKey,
        word: id,
        limitMs,
        route,
        strict,
        window: request,
        charge: undefined,
        refusal: request,
        take: (raw) => resolve(readRefuse(raw)),
        reject,
        alone: (leftMs = limitMs) => void this.#scripts.refuse(request, leftMs, route).then(resolve, reject),
      });
    });
  }

  /** As {@link Scripts.settle}, together with the others of this turn. */
  settle(request: SettleRequest, limitMs?: number): Promise<SettleReply> {
    const { recordKey, id, digest, durationMs } = request;
    return new Promise<SettleReply>((resolve, reject) => {
      const settled = (reply: SettleReply): void => {
        // Its unit was given back.
        if (reply.status === 'withdrawn' && this.#used !== undefined) this.#used -= 1;
        resolve(reply);
      };
      this.#gather(this.#ended, {
        recordKey,
        word: id + digest,
        limitMs,
        request,
        take: (raw) => settled(raw === 1 ? answered(id, durationMs) : readSettle(raw)),
        reject,
        alone: (leftMs = limitMs) => void this.#scripts.settle(request, leftMs).then(settled, reject),
      });
    });
  }

  /**
   * The calls go out after all promises of this turn: an item's refusal comes some promises later than another item's
   * question.
   */
  #gather<Call>(calls: Call[], call: Call): void {
    if (this.#asked.length + this.#ended.length === 0) process.nextTick(() => this.#send());
    calls.push(call);
  }

  #send(): void {
    const [asked, ended] = [this.#asked, this.#ended];
    this.#asked = [];
    this.#ended = [];
    this.#ask(asked);
    for (const alike of groups(ended, groupOf).values()) this.#end(alike);
  }

  #ask(asked: readonly Asked[]): void {
    const [first] = asked;
    if (first === undefined) return;
    const isAlone = asked.length === 1 && this.#hasAsked;
    this.#hasAsked = true;
    const charge = asked.find((call) => call.charge !== undefined)?.charge;
    const together: Asked[] = [];
    for (const call of asked) {
      const hasTheirWay = call.route.link === first.route.link && call.route.asking === first.route.asking;
      const isAlike =
        call.charge === undefined ||
        (call.charge.counterKey === charge?.counterKey && call.charge.owner === charge.owner);
      if (!isAlone && hasTheirWay && isAlike) together.push(call);
      else call.alone(call.limitMs);
    }
    if (together.length > 0) this.#askTogether(together, first, charge);
  }

  #askTogether(calls: readonly Asked[], { route, strict }: Asked, charge: AdmitRequest | undefined): void {
    const refusals = calls.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal]));
    const [refusal] = refusals;
    const keys = keysOf(calls, this.#refusalsKey, charge?.counterKey, charge?.rate?.bucketKey);
    const words = [
      calls.length,
      strict ? 1 : 0,
      // The time must be right for every item: the id of each belongs to an epoch of its own.
      Math.max(...calls.map(({ window }) => window.fromMs)),
      Math.min(...calls.map(({ window }) => window.untilMs)),
      charge?.owner ?? '',
      charge?.leaseMs ?? 0,
      charge?.lifeMs ?? 0,
      charge?.minLifeMs ?? 0,
      charge?.limit ?? 0,
      charge?.counterLifeSeconds ?? 0,
      charge?.rate?.perSecond ?? 0,
      refusal?.most ?? 0,
      refusal?.countLifeSeconds ?? 0,
      ...calls.map(({ word }) => word),
      ...refusals.flatMap(({ digest, httpStatus, body, lifeMs }) => [digest, `${httpStatus}${body}`, lifeMs]),
    ];
    together(
      calls,
      () =>
        callOn(
          route,
          (client) => client.admitBatch(keys.length, ...keys, ...words),
          (raw) => {
            const [used, replies] = fields(raw);
            if (used === 'not_now') return calls.map(() => raw);
            if (Number(used) >= 0) this.#used = Number(used);
            return fields(replies);
          },
          leastLimit(calls),
        ),
      // Each has to be sent with a new time.
      (error) => !(error instanceof RedisUnavailable),
    );
  }

  #end(calls: readonly Ended[]): void {
    const [first] = calls;
    if (first === undefined) return;
    if (calls.length === 1 || first.request.admitDeadlineMs > 0) {
      for (const call of calls) call.alone(call.limitMs);
      return;
    }
    const { ending, durationMs, counterKey, owner } = first.request;
    const keys = keysOf(calls, ending === 'not_sent' ? counterKey : undefined);
    const words = [calls.length, ending, durationMs, owner, ...calls.map(({ word }) => word)];
    together(
      calls,
      async () =>
        callOn(
          this.#routes.routeOf(first.recordKey),
          (client) => client.settleBatch(keys.length, ...keys, ...words),
          fields,
          leastLimit(calls),
        ),
      (error) => error instanceof NotRun || !(error instanceof RedisUnavailable),
    );
  }
}

/**
 * Makes a common call, and gives each its part of the reply.
 *
 * @param goAlone tells by the error whether each call is then made alone
 */
function together(
  calls: readonly Waiting[],
  callForAll: () => Promise<readonly unknown[]>,
  goAlone: (error: unknown) => boolean,
): void {
  const sentAt = performance.now();
  callForAll().then(
    (replies) => {
      calls.forEach((call, index) => {
        try {
          call.take(replies[index]);
        } catch (error) {
          call.reject(error);
        }
      });
    },
    (error: unknown) => {
      const passedMs = performance.now() - sentAt;
      for (const call of calls) {
        if (!goAlone(error)) call.reject(error);
        else call.alone(call.limitMs === undefined ? undefined : Math.max(1, call.limitMs - passedMs));
      }
    },
  );
}

function keysOf(calls: readonly Waiting[], ...others: readonly (string | undefined)[]): string[] {
  return [...calls.map(({ recordKey }) => recordKey), ...others.filter((key) => key !== undefined)];
}

function leastLimit(calls: readonly Waiting[]): number | undefined {
  const limits = calls.flatMap(({ limitMs }) => (limitMs === undefined ? [] : [limitMs]));
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** What a number says of an item that was to be admitted: it is claimed under its own id, and so many units are used. */
const claimedAnew = (id: string, used: number): AdmitReply => ({
  status: 'admitted',
  id,
  takenOver: false,
  used,
});

/** What 1 says of an attempt that was answered: its answer stands. */
const answered = (id: string, leftMs: number): SettleReply => ({
  status: 'answered',
  id,
  httpStatus: 202,
  body: '',
  leftMs,
  mismatch: false,
});

/** What attempts must have in common to be ended by one call. */
function groupOf({ request }: Ended): string {
  const { ending, durationMs, counterKey, owner, admitDeadlineMs } = request;
  return `${ending} ${durationMs} ${owner} ${admitDeadlineMs > 0} ${ending === 'not_sent' ? counterKey : ''}`;
}

function groups<T>(items: readonly T[], nameOf: (item: T) => string): ReadonlyMap<string, T[]> {
  const byName = new Map<string, T[]>();
  for (const item of items) {
    const name = nameOf(item);
    const group = byName.get(name);
    if (group === undefined) byName.set(name, [item]);
    else group.push(item);
  }
  return byName;
}
