/**
 * Typed bindings of lua/: one object of named fields in, a discriminated union out. Raw tuples stay in this file.
 *
 * Over 250 lines: one binding for each script, read side by side with lua/.
 */
import type { ReadyTerms } from './claim-terms.js';
import type { RedisClient } from './client.js';
import { callOn, type RedisRoutes, type Route, untilRun, type WhenLate } from './routes.js';

/**
 * The window in which a script may take effect, in milliseconds since 1970 of Redis's clock: outside it, the script does
 * nothing and tells the time.
 */
export interface Window {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What stands under a key for a request that does not own it. */
export type Standing =
  /** `leftMs` is what is left of the record's life. `body` is '' with 202: that body follows from the id. */
  | {
      readonly status: 'answered';
      readonly id: string;
      readonly httpStatus: number;
      readonly body: string;
      readonly leftMs: number;
      readonly mismatch: boolean;
    }
  /** Another attempt is at work. */
  | {
      readonly status: 'in_flight';
      readonly id: string;
      readonly leaseLeftMs: number;
      readonly mismatch: boolean;
    }
  /** No attempt is at work, and the key's message may be in the broker. */
  | { readonly status: 'open'; readonly id: string; readonly mismatch: boolean }
  /** The key belongs to another body, and the caller asked to be strict. */
  | { readonly status: 'mismatch'; readonly id: string }
  /** The record is of a version that the script does not know. */
  | { readonly status: 'unreadable' };

/** Outside the window: nothing was changed. */
export interface NotNow {
  readonly status: 'not_now';
  /** Redis's time. */
  readonly nowMs: number;
}

/** A client's limit per second. */
export interface RateLimit {
  readonly bucketKey: string;
  /** New messages in a second. */
  readonly perSecond: number;
}

/** A key to claim and to charge. Ids are UUIDs. */
export interface AdmitRequest extends Window {
  readonly recordKey: string;
  readonly counterKey: string;
  readonly owner: string;
  readonly id: string;
  readonly digest: string;
  readonly terms: ReadyTerms;
  /** Units that the client has a day. */
  readonly limit: number;
  readonly rate: RateLimit | undefined;
}

/** Too many new messages of the client in this second: nothing was changed, and a key has no record. */
export interface Throttled {
  readonly status: 'throttled';
}

/** What became of an admission. */
export type AdmitReply =
  /** `used` counts the day's units; 0 after a take-over, which charges nothing. */
  | {
      readonly status: 'admitted';
      readonly id: string;
      readonly takenOver: boolean;
      readonly used: number;
    }
  | { readonly status: 'exceeded'; readonly used: number }
  | Throttled
  | Standing
  | NotNow;

/** A refusal to store. */
export interface RefuseRequest extends Window {
  readonly recordKey: string;
  /** Key of the count of the client's stored refusals; used only where this refusal is to be stored. */
  readonly countKey: string;
  readonly id: string;
  /** '' = the body could not be read. */
  readonly digest: string;
  readonly strict: boolean;
  readonly httpStatus: number;
  readonly body: string;
  /** 0 = only ask what stands under the key. */
  readonly lifeMs: number;
  /** Refusals of the client that are stored while their count lives. */
  readonly most: number;
  readonly countLifeSeconds: number;
}

/** The key had no record. `tooMany`: the refusal is not stored, because too many of the client's are. */
export interface Refused {
  readonly status: 'refused';
  readonly tooMany: boolean;
}

/** What became of a refusal. */
export type RefuseReply = Refused | Standing | NotNow;

/** How an attempt ends, as `settle` writes it down. */
export type Ending = 'answered' | 'not_sent' | 'held' | 'unknown';

/** An attempt to end. */
export interface SettleRequest {
  readonly ending: Ending;
  readonly recordKey: string;
  /** The counter that the attempt was charged on; only `not_sent` uses it. */
  readonly counterKey: string;
  readonly owner: string;
  readonly id: string;
  readonly digest: string;
  /** Life of the answer (`answered`) or length of the longer lease (`held`). */
  readonly durationMs: number;
  /** Redis time until which the attempt's `admit` may still run; 0 = it has run. Only `not_sent` uses it. */
  readonly admitDeadlineMs: number;
}

/** What stands under the key after an attempt has ended. */
export type SettleReply =
  | Extract<Standing, { status: 'answered' | 'open' | 'unreadable' }>
  /** `withdrawn`: the record is gone and its unit given back; `absent`: there was no record. */
  | { readonly status: 'withdrawn' | 'absent' }
  /** Nothing of the attempt was found, and its `admit` may still run. */
  | { readonly status: 'early' };

/** A unit to take. */
export interface ConsumeRequest extends Window {
  readonly counterKey: string;
  readonly limit: number;
  readonly lifeSeconds: number;
  readonly rate: RateLimit | undefined;
}

/** What became of a unit. `used` counts the day's units. */
export type ConsumeReply =
  | { readonly status: 'consumed' | 'exceeded'; readonly used: number }
  | Throttled
  | NotNow;

/** What is known of a key; times in milliseconds of Redis's clock. */
export type LookUpReply =
  | { readonly status: 'absent' | 'unreadable' }
  /** `body` is '' with 202: that body follows from the id. */
  | (Known & { readonly status: 'answered'; readonly httpStatus: number; readonly body: string })
  /** An attempt is at work while `leaseLeftMs` is over 0. */
  | (Known & { readonly status: 'open'; readonly leaseLeftMs: number });

interface Known {
  readonly id: string;
  /** What is left of the record's life; below 0 = it has no end. */
  readonly leftMs: number;
  readonly nowMs: number;
}

/** The scripts that an attempt on a key calls. */
export type AttemptScripts = Pick<Scripts, 'admit' | 'refuse' | 'settle'>;

/** Milliseconds for which a script without a limit of its own is sent anew, where Redis says that it was not run. */
const RESEND_FOR_MS = 500;

/**
 * The scripts, callable. Every method throws RedisUnavailable where Redis gives no answer in time, and what Redis itself
 * answers as an error. `limitMs` is how long a call waits, if less than usual.
 *
 * A method that takes a `route` runs its script once at the most, and throws NotRun where Redis says that it was not run:
 * the caller knows by when, and with which time of Redis, it may be sent anew.
 */
export class Scripts {
  readonly #routes: RedisRoutes;

  constructor(routes: RedisRoutes) {
    this.#routes = routes;
  }

  /** Claims a key and charges its unit in one step, or says what stands under the key. */
  admit(request: AdmitRequest, limitMs: number, route?: Route): Promise<AdmitReply> {
    const { recordKey, counterKey, owner, terms, limit, fromMs, untilMs, rate } = request;
    const mark = request.id + request.digest;
    const { word } = terms;
    return this.#call(
      recordKey,
      route,
      (client) =>
        rate === undefined
          ? client.admit(recordKey, counterKey, mark, owner, word, limit, fromMs, untilMs)
          : client.admitLimited(
              ...[recordKey, counterKey, rate.bucketKey, mark, owner, word, limit, fromMs, untilMs],
              rate.perSecond,
            ),
      (raw) => readAdmit(raw, request),
      limitMs,
    );
  }

  /** Stores a refusal for a key without a record, or says what stands under the key. */
  refuse(request: RefuseRequest, limitMs: number, route?: Route): Promise<RefuseReply> {
    const { recordKey, countKey, id, httpStatus, body, lifeMs, most, countLifeSeconds } = request;
    const question = [request.digest, request.strict ? 1 : 0, request.fromMs, request.untilMs] as const;
    const stored = [id, httpStatus, body, lifeMs, most, countLifeSeconds] as const;
    return this.#call(
      recordKey,
      route,
      (client) =>
        lifeMs > 0
          ? client.refuseStored(recordKey, countKey, ...question, ...stored)
          : client.refuse(recordKey, ...question),
      readRefuse,
      limitMs,
    );
  }

  /** Ends an attempt, and says what stands under the key now. Harmless when it runs twice. */
  settle(request: SettleRequest, limitMs?: number): Promise<SettleReply> {
    const { ending, recordKey, counterKey, owner, durationMs, admitDeadlineMs } = request;
    const mark = request.id + request.digest;
    return this.#untilRun(
      recordKey,
      (client) =>
        ending === 'not_sent'
          ? client.settleNotSent(recordKey, counterKey, ending, owner, mark, durationMs, admitDeadlineMs)
          : client.settle(recordKey, ending, owner, mark, durationMs),
      (raw) => readSettle(raw, request),
      limitMs,
    );
  }

  /** Takes one unit. Where the reply is lost, the unit may have been taken. */
  consume(
    request: ConsumeRequest,
    limitMs: number,
    route: Route | undefined,
    whenLate: WhenLate<ConsumeReply>,
  ): Promise<ConsumeReply> {
    const { counterKey, limit, lifeSeconds, fromMs, untilMs, rate } = request;
    const unit = [limit, lifeSeconds, fromMs, untilMs] as const;
    return this.#call(
      counterKey,
      route,
      (client) =>
        rate === undefined
          ? client.quotaConsume(counterKey, ...unit)
          : client.quotaConsumeLimited(counterKey, rate.bucketKey, ...unit, rate.perSecond),
      readConsume,
      limitMs,
      whenLate,
    );
  }

  /** Gives a unit back. A second run gives a second one back. */
  refund(counterKey: string, limitMs: number | undefined, whenLate: WhenLate<void>): Promise<void> {
    return this.#untilRun(
      counterKey,
      (client) => client.quotaRefund(counterKey),
      () => undefined,
      limitMs,
      whenLate,
    );
  }

  /** Says what is known of a key, and changes nothing. */
  lookUp(recordKey: string, limitMs: number): Promise<LookUpReply> {
    return this.#untilRun(recordKey, (client) => client.lookUp(recordKey), readLookUp, limitMs);
  }

  /** Runs a script where its key lives, or on the way that Redis has named for this once. */
  #call<T>(
    key: string,
    route: Route | undefined,
    send: (client: RedisClient) => Promise<unknown>,
    read: (raw: unknown) => T,
    limitMs?: number,
    whenLate?: WhenLate<T>,
  ): Promise<T> {
    return callOn(route ?? this.#routes.routeOf(key), send, read, limitMs, whenLate);
  }

  /** As {@link Scripts.#call}, and again where the script was not run: for scripts that need no time of Redis. */
  #untilRun<T>(
    key: string,
    send: (client: RedisClient) => Promise<unknown>,
    read: (raw: unknown) => T,
    limitMs?: number,
    whenLate?: WhenLate<T>,
  ): Promise<T> {
    const deadline = performance.now() + (limitMs ?? RESEND_FOR_MS);
    let isSentAnew = false;
    return untilRun(deadline, (route) => {
      // The limit is for all calls together: a call that is sent anew has the rest of it.
      const hasLess = isSentAnew && limitMs !== undefined;
      isSentAnew = true;
      return this.#call(
        key,
        route,
        send,
        read,
        hasLess ? Math.max(1, deadline - performance.now()) : limitMs,
        whenLate,
      );
    });
  }
}

/**
 * Reads what `admit` answers. The answer that nearly every call gets is a number: a list of texts would cost as much to read
 * as the call to send.
 *
 * @throws Error for an answer that the script's header does not name; the others here do the same
 */
export function readAdmit(raw: unknown, { id }: Pick<AdmitRequest, 'id'>): AdmitReply {
  if (typeof raw === 'number') return { status: 'admitted', id, takenOver: false, used: raw };
  const [status, a, b, c] = fields(raw);
  switch (status) {
    case 'admitted':
      return { status, id: String(a), takenOver: b === 1, used: Number(c) };
    case 'exceeded':
      return { status, used: Number(a) };
    case 'throttled':
      return { status };
    case 'not_now':
      return { status, nowMs: Number(a) };
    default:
      return readStanding(raw);
  }
}

/** Reads what `refuse` answers. */
export function readRefuse(raw: unknown): RefuseReply {
  const [status, value] = fields(raw);
  if (status === 'refused') return { status, tooMany: value === 1 };
  return status === 'not_now' ? { status, nowMs: Number(value) } : readStanding(raw);
}

/** Reads what `settle` answers. 1 = the attempt's own answer stands. */
export function readSettle(
  raw: unknown,
  { id, durationMs }: Pick<SettleRequest, 'id' | 'durationMs'>,
): SettleReply {
  if (raw === 1) {
    return { status: 'answered', id, httpStatus: 202, body: '', leftMs: durationMs, mismatch: false };
  }
  const [status] = fields(raw);
  if (status === 'withdrawn' || status === 'absent' || status === 'early') return { status };
  const standing = readStanding(raw);
  if (standing.status === 'in_flight' || standing.status === 'mismatch') throw unexpected(raw);
  return standing;
}

function readConsume(raw: unknown): ConsumeReply {
  if (typeof raw === 'number') return { status: 'consumed', used: raw };
  const [status, value] = fields(raw);
  if (status === 'not_now') return { status, nowMs: Number(value) };
  if (status === 'throttled') return { status };
  if (status !== 'exceeded') throw unexpected(raw);
  return { status, used: Number(value) };
}

function readLookUp(raw: unknown): LookUpReply {
  const [status, id, left, now, a, b] = fields(raw);
  const known = { id: String(id), leftMs: Number(left), nowMs: Number(now) };
  switch (status) {
    case 'absent':
    case 'unreadable':
      return { status };
    case 'answered':
      return { ...known, status, httpStatus: Number(a), body: String(b) };
    case 'open':
      return { ...known, status, leaseLeftMs: Number(a) };
    default:
      throw unexpected(raw);
  }
}

function readStanding(raw: unknown): Standing {
  const [status, id, a, b, c, d] = fields(raw);
  switch (status) {
    case 'answered':
      return {
        status,
        id: String(id),
        httpStatus: Number(a),
        body: String(b),
        leftMs: Number(c),
        mismatch: d === 1,
      };
    case 'in_flight':
      return { status, id: String(id), leaseLeftMs: Number(a), mismatch: b === 1 };
    case 'open':
      return { status, id: String(id), mismatch: a === 1 };
    case 'mismatch':
      return { status, id: String(id) };
    case 'unreadable':
      return { status };
    default:
      throw unexpected(raw);
  }
}

/** Returns the fields of a reply. */
export function fields(raw: unknown): readonly unknown[] {
  if (!Array.isArray(raw)) throw unexpected(raw);
  return raw;
}

function unexpected(raw: unknown): Error {
  const status = Array.isArray(raw) ? String(raw[0]) : typeof raw;
  return new Error(`a script gave an answer that its header does not name: ${status}`);
}
