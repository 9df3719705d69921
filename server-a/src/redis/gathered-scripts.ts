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
} from './scripts.js';
import { RedisUnavailable } from './unavailable.js';

/** A call that waits for the others of its turn. */
type Waiting = Asked | Ended;

/** A key to admit or to refuse. */
type Asked = Admitting | Refusing;

interface Asking<Kind extends string, Request, Reply> {
  readonly kind: Kind;
  readonly request: Request;
  readonly limitMs: number;
  readonly route: Route;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

type Admitting = Asking<'admit', AdmitRequest, AdmitReply>;
type Refusing = Asking<'refuse', RefuseRequest, RefuseReply>;

/** An attempt to end. */
interface Ended {
  readonly kind: 'settle';
  readonly request: SettleRequest;
  readonly limitMs: number | undefined;
  readonly resolve: (reply: SettleReply) => void;
  readonly reject: (error: unknown) => void;
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
    return new Promise<AdmitReply>((resolve, reject) => {
      this.#gather(this.#asked, { kind: 'admit', request, limitMs, route, resolve, reject });
    });
  }

  /** As {@link Scripts.refuse}, together with the others of this turn. */
  refuse(request: RefuseRequest, limitMs: number, route = this.#routes.routeOf(request.recordKey)) {
    return new Promise<RefuseReply>((resolve, reject) => {
      this.#gather(this.#asked, { kind: 'refuse', request, limitMs, route, resolve, reject });
    });
  }

  /** As {@link Scripts.settle}, together with the others of this turn. */
  settle(request: SettleRequest, limitMs?: number): Promise<SettleReply> {
    return new Promise<SettleReply>((resolve, reject) => {
      this.#gather(this.#ended, { kind: 'settle', request, limitMs, resolve, reject });
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
    const charge = asked.find((call) => call.kind === 'admit')?.request;
    const together: Asked[] = [];
    for (const call of asked) {
      const hasTheirWay = call.route.link === first.route.link && call.route.asking === first.route.asking;
      const isAlike =
        call.kind === 'refuse' ||
        (call.request.counterKey === charge?.counterKey && call.request.owner === charge.owner);
      if (!isAlone && hasTheirWay && isAlike) together.push(call);
      else this.#goAlone(call);
    }
    if (together.length > 0) this.#askTogether(together, first, charge);
  }

  #askTogether(calls: readonly Asked[], first: Asked, charge: AdmitRequest | undefined): void {
    const refusals = calls.flatMap((call) => (call.kind === 'refuse' ? [call.request] : []));
    const [refusal] = refusals;
    const keys = keysOf(calls, this.#refusalsKey, charge?.counterKey, charge?.rate?.bucketKey);
    const words = [
      calls.length,
      isStrict(first) ? 1 : 0,
      // Each item's own time must be right: the id of each is of an epoch of its own.
      Math.max(...calls.map(({ request }) => request.fromMs)),
      Math.min(...calls.map(({ request }) => request.untilMs)),
      charge?.owner ?? '',
      charge?.terms.leaseMs ?? 0,
      charge?.terms.lifeMs ?? 0,
      charge?.terms.minLifeMs ?? 0,
      charge?.limit ?? 0,
      charge?.terms.counterLifeSeconds ?? 0,
      charge?.rate?.perSecond ?? 0,
      refusal?.most ?? 0,
      refusal?.countLifeSeconds ?? 0,
      ...calls.map(({ kind, request: { id, digest } }) => (kind === 'admit' ? id + digest : id)),
      ...refusals.flatMap(({ digest, httpStatus, body, lifeMs }) => [digest, `${httpStatus}${body}`, lifeMs]),
    ];
    this.#together(
      calls,
      () =>
        callOn(
          first.route,
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
      for (const call of calls) this.#goAlone(call);
      return;
    }
    const { ending, durationMs, counterKey, owner, recordKey } = first.request;
    const keys = keysOf(calls, ending === 'not_sent' ? counterKey : undefined);
    const marks = calls.map(({ request: { id, digest } }) => id + digest);
    this.#together(
      calls,
      async () =>
        callOn(
          this.#routes.routeOf(recordKey),
          (client) =>
            client.settleBatch(keys.length, ...keys, calls.length, ending, durationMs, owner, ...marks),
          fields,
          leastLimit(calls),
        ),
      (error) => error instanceof NotRun || !(error instanceof RedisUnavailable),
    );
  }

  /** Makes a call for all, and gives each its part of the reply. @param goAlone tells by its error whether each goes alone then */
  #together(
    calls: readonly Waiting[],
    callForAll: () => Promise<readonly unknown[]>,
    goAlone: (error: unknown) => boolean,
  ): void {
    const sentAt = performance.now();
    callForAll().then(
      (replies) => {
        calls.forEach((call, index) => {
          try {
            this.#take(call, replies[index]);
          } catch (error) {
            call.reject(error);
          }
        });
      },
      (error: unknown) => {
        const passedMs = performance.now() - sentAt;
        for (const call of calls) {
          if (!goAlone(error)) call.reject(error);
          else this.#goAlone(call, passedMs);
        }
      },
    );
  }

  /** Gives a call its reply. @throws Error for one that no header names */
  #take(call: Waiting, raw: unknown): void {
    if (call.kind === 'admit') call.resolve(readAdmit(raw, call.request));
    else if (call.kind === 'refuse') call.resolve(readRefuse(raw));
    else call.resolve(this.#settled(readSettle(raw, call.request)));
  }

  /** Makes a call by itself. @param passedMs what of its time has passed already */
  #goAlone(call: Waiting, passedMs = 0): void {
    const left = (limitMs: number): number => (passedMs === 0 ? limitMs : Math.max(1, limitMs - passedMs));
    const { kind, limitMs, reject } = call;
    if (kind === 'admit') {
      this.#scripts.admit(call.request, left(call.limitMs), call.route).then(call.resolve, reject);
    } else if (kind === 'refuse') {
      this.#scripts.refuse(call.request, left(call.limitMs), call.route).then(call.resolve, reject);
    } else {
      this.#scripts
        .settle(call.request, limitMs === undefined ? undefined : left(limitMs))
        .then((reply) => call.resolve(this.#settled(reply)), reject);
    }
  }

  #settled(reply: SettleReply): SettleReply {
    // Its unit was given back.
    if (reply.status === 'withdrawn' && this.#used !== undefined) this.#used -= 1;
    return reply;
  }
}

const isStrict = (call: Asked): boolean =>
  call.kind === 'admit' ? call.request.terms.strict : call.request.strict;

function keysOf(calls: readonly Waiting[], ...others: readonly (string | undefined)[]): string[] {
  const keys = calls.map(({ request }) => request.recordKey);
  for (const key of others) if (key !== undefined) keys.push(key);
  return keys;
}

function leastLimit(calls: readonly Waiting[]): number | undefined {
  let least: number | undefined;
  for (const { limitMs } of calls) {
    if (limitMs !== undefined && (least === undefined || limitMs < least)) least = limitMs;
  }
  return least;
}

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
