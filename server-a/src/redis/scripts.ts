/** The scripts, callable for one request at a time. */

import { turnEnds } from '../connection/turn-end.js';
import type {
  AdmitReply,
  AdmitRequest,
  ConsumeReply,
  ConsumeRequest,
  LookUpReply,
  RefuseReply,
  RefuseRequest,
  SettleReply,
  SettleRequest,
} from './calls.js';
import { admitCommand, callUntilRun, consumeCommand, refuseCommand, settleCommand } from './commands.js';
import { Gatherer } from './gatherer.js';
import { readLookUp } from './replies.js';
import type { RedisRoutes, Route, WhenLate } from './routes.js';

/**
 * The scripts, callable for one request at a time; what is asked in one turn of the event loop goes to Redis together.
 * Every method throws RedisUnavailable where Redis gives no answer in time, and what Redis itself answers as an error.
 * `limitMs` is how long a call waits, if less than usual.
 *
 * A method that takes a `route` runs its script once at the most, and throws NotRun where Redis says that it was not run:
 * the caller knows by when, and with which time of Redis, it may be sent anew.
 */
export class Scripts {
  readonly #routes: RedisRoutes;
  readonly #admits: Gatherer<AdmitRequest, AdmitReply>;
  readonly #refusals: Gatherer<RefuseRequest, RefuseReply>;
  readonly #settles: Gatherer<SettleRequest, SettleReply>;
  readonly #consumes: Gatherer<ConsumeRequest, ConsumeReply>;

  constructor(routes: RedisRoutes) {
    this.#routes = routes;
    const turnEnd = turnEnds();
    this.#admits = new Gatherer(admitCommand(routes), turnEnd);
    this.#refusals = new Gatherer(refuseCommand(routes), turnEnd);
    this.#settles = new Gatherer(settleCommand(routes), turnEnd);
    this.#consumes = new Gatherer(consumeCommand(routes), turnEnd);
  }

  /** Claims a key and charges its unit in one step, or says what stands under the key. */
  admit(request: AdmitRequest, limitMs: number, route?: Route): Promise<AdmitReply> {
    return this.#admits.call(request, limitMs, route);
  }

  /** Stores a refusal for a key without a record, or says what stands under the key. */
  refuse(request: RefuseRequest, limitMs: number, route?: Route): Promise<RefuseReply> {
    return this.#refusals.call(request, limitMs, route);
  }

  /** Ends an attempt, and says what stands under the key now. Harmless when it runs twice. */
  settle(request: SettleRequest, limitMs?: number): Promise<SettleReply> {
    return this.#settles.call(request, limitMs);
  }

  /** Takes one unit. Where the reply is lost, the unit may have been taken. */
  consume(
    request: ConsumeRequest,
    limitMs: number,
    route: Route | undefined,
    whenLate: WhenLate<ConsumeReply>,
  ): Promise<ConsumeReply> {
    return this.#consumes.call(request, limitMs, route, whenLate);
  }

  /** Gives a unit back. A second run gives a second one back. */
  refund(counterKey: string, limitMs: number | undefined, whenLate: WhenLate<void>): Promise<void> {
    return callUntilRun(
      this.#routes,
      counterKey,
      (client) => client.quotaRefund(counterKey),
      () => undefined,
      limitMs,
      whenLate,
    );
  }

  /** Says what is known of a key, and changes nothing. */
  lookUp(recordKey: string, limitMs: number): Promise<LookUpReply> {
    return callUntilRun(this.#routes, recordKey, (client) => client.lookUp(recordKey), readLookUp, limitMs);
  }
}
