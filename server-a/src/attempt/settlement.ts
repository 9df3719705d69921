/**
 * Ends attempts in Redis: at once where Redis answers, otherwise in the background, again and again until Redis is back.
 * What is given up is logged, one line for each.
 *
 * Over 250 lines: what is written, what waits and what is given up is one account.
 */
import type { Sender } from '../config/registry.js';
import type { Log } from '../logging/log.js';
import type { Ending, SettleReply, SettleRequest } from '../redis/calls.js';
import type { Scripts } from '../redis/scripts.js';
import { RedisUnavailable } from '../redis/unavailable.js';
import type { Admitted, Attempt } from './attempt.js';

/** Milliseconds between two tries. */
const RETRY_MS = 200;
/** Milliseconds after which a write is given up: by then the attempt's lease is long over. */
const GIVE_UP_MS = 60_000;
/** Writes that may wait at once; beyond it they are given up at once, so that an outage cannot fill the memory. */
const MAX_WAITING = 20_000;

/** What a write is, for the log: the ending of an attempt, the undoing of an admission, or a unit given back. */
export type SettlementKind = Ending | 'undo' | 'refund';

/** What the log line of a write names. */
interface Subject {
  readonly kind: SettlementKind;
  readonly sender: Sender;
  readonly trackingId: string | undefined;
  /** Redis key of the counter whose unit is given back by the write. */
  readonly counterKey: string | undefined;
}

/** What of an admission that had no reply is needed to undo it. */
export interface LostAdmission {
  readonly id: string;
  readonly digest: string;
  readonly counterKey: string;
  /** Redis time until which the admission may still run. */
  readonly admitDeadlineMs: number;
}

/** A write to make; resolves to false where it must be made again. */
type Write = () => Promise<boolean>;

/** Makes the writes, and remembers those that Redis did not take. */
export class Settlement {
  readonly #scripts: Pick<Scripts, 'settle' | 'refund'>;
  readonly #log: Log;
  /** Writes whose first try has failed. */
  readonly #waiting = new Set<Subject>();
  /** First tries and late charges that have no reply yet. No request may wait for them any more, so a shutdown must. */
  #underWay = 0;
  #onIdle = (): void => {};
  readonly #sleepers = new Set<() => void>();
  /** Attempts that are to be held for a late confirm, and whose late end has not come yet. */
  readonly #toBeHeld = new WeakSet<Attempt>();
  #closing = false;
  #givenUp = 0;

  constructor(scripts: Pick<Scripts, 'settle' | 'refund'>, log: Log) {
    this.#scripts = scripts;
    this.#log = log;
  }

  /** Writes that are still to be made. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Ends an attempt. Resolves to what stands under the key now, or to undefined where Redis gave no answer; then the write
   * goes on in the background. Never rejects.
   *
   * @param durationMs life of the answer (`answered`), length of the longer lease (`held`), otherwise 0
   * @param limitMs milliseconds to wait, if less than usual
   */
  end(
    attempt: Attempt,
    { id, digest, counterKey }: Admitted,
    ending: Ending,
    durationMs: number,
    limitMs?: number,
  ): Promise<SettleReply | undefined> {
    const request: SettleRequest = {
      ending,
      recordKey: attempt.recordKey,
      counterKey,
      owner: attempt.owner,
      id,
      digest,
      durationMs,
      admitDeadlineMs: 0,
      usage: attempt.usage,
    };
    // A hold that is written after the late end would lock the key once more, though no attempt is at work.
    this.#toBeHeld.delete(attempt);
    this.#underWay += 1;
    return this.#scripts.settle(request, limitMs).then(
      (reply) => {
        this.#ended();
        return reply;
      },
      (err: unknown) => {
        this.#endAgain(attempt, request, err);
        this.#ended();
        return undefined;
      },
    );
  }

  /** Goes on with the ending of an attempt that Redis has not taken. */
  #endAgain(attempt: Attempt, request: SettleRequest, err: unknown): void {
    const { ending, id, counterKey } = request;
    if (ending === 'held') this.#toBeHeld.add(attempt);
    const isOutOfDate = (): boolean => ending === 'held' && !this.#toBeHeld.has(attempt);
    const subject = {
      kind: ending,
      sender: attempt,
      trackingId: id,
      counterKey: ending === 'not_sent' ? counterKey : undefined,
    };
    const write = async (): Promise<boolean> => {
      if (!isOutOfDate()) await this.#scripts.settle(request);
      return true;
    };
    this.#goOn(subject, write, err);
  }

  /**
   * Undoes, in the background, an admission whose reply was lost. It is undone when its claim is removed, or when nothing
   * of it is found after its deadline; until then the old command may still run behind this one.
   */
  undo(attempt: Attempt, lost: LostAdmission, err: unknown): void {
    const request: SettleRequest = {
      ending: 'not_sent',
      recordKey: attempt.recordKey,
      owner: attempt.owner,
      durationMs: 0,
      ...lost,
    };
    const { id: trackingId, counterKey } = lost;
    this.#goOn(
      { kind: 'undo', sender: attempt, trackingId, counterKey },
      async () => (await this.#scripts.settle(request)).status !== 'early',
      err,
    );
  }

  /**
   * Gives back a unit that a request without a key has taken. Never twice: a refund that may have run is not repeated.
   * Resolves after the limit at the latest. What Redis says later still tells whether the refund must be repeated.
   *
   * @param limitMs milliseconds to wait, if less than usual
   */
  async refund(
    sender: Sender,
    counterKey: string,
    trackingId: string | undefined,
    limitMs?: number,
  ): Promise<void> {
    const subject: Subject = { kind: 'refund', sender, trackingId, counterKey };
    const write = async (): Promise<boolean> => {
      const later: { end?: Promise<void> } = {};
      const whenLate = (late: Promise<void>): void => {
        later.end = late;
      };
      await this.#scripts.refund(counterKey, limitMs, whenLate).catch((error: unknown) => {
        if (!mayHaveRun(error)) throw error;
        if (later.end === undefined || this.#isFull) this.#giveUp(subject, error);
        else void this.#endLate(subject, write, later.end);
      });
      return true;
    };
    this.#underWay += 1;
    try {
      await write();
    } catch (error) {
      this.#goOn(subject, write, error);
    } finally {
      this.#ended();
    }
  }

  /**
   * Gives back, in the background, the unit of a charge whose reply came too late for its request, if it took one. A
   * shutdown waits for the reply.
   *
   * @param late tells whether a unit was taken; it may reject
   */
  async refundLate(sender: Sender, counterKey: string, late: Promise<boolean>): Promise<void> {
    this.#underWay += 1;
    const isTaken = await late.catch(() => false);
    if (isTaken) await this.refund(sender, counterKey, undefined);
    this.#ended();
  }

  /** Waits for what Redis says of a write after its limit, and makes the write again where it was certainly not made. */
  async #endLate(subject: Subject, write: Write, late: Promise<void>): Promise<void> {
    // Where the write is a repeated one, the same subject stands there already, and goes when its retry is over.
    const awaited = { ...subject };
    this.#waiting.add(awaited);
    try {
      await late;
      this.#waiting.delete(awaited);
    } catch (error) {
      // Not where a shutdown that was cut short has given it up already.
      const isNews = this.#waiting.delete(awaited);
      if (isNews && mayHaveRun(error)) this.#giveUp(awaited, error);
      else if (isNews) this.#goOn(awaited, write, error);
    }
    if (this.#isIdle) this.#onIdle();
  }

  /** Tries everything that waits once more, and gives up what Redis still does not take; resolves when all is done. */
  async drain(): Promise<{ readonly givenUp: number }> {
    this.#closing = true;
    for (const wake of this.#sleepers) wake();
    while (!this.#isIdle) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    return { givenUp: this.#givenUp };
  }

  /** Gives up at once what still waits: the process ends before Redis can take it. */
  cutShort(): void {
    for (const subject of this.#waiting) this.#giveUp(subject, new Error('the shutdown was cut short'));
    this.#waiting.clear();
  }

  get #isIdle(): boolean {
    return this.#underWay + this.#waiting.size === 0;
  }

  #ended(): void {
    this.#underWay -= 1;
    if (this.#isIdle) this.#onIdle();
  }

  get #isFull(): boolean {
    return this.#waiting.size >= MAX_WAITING;
  }

  #goOn(subject: Subject, write: Write, err: unknown): void {
    if (this.#isFull) this.#giveUp(subject, err);
    else void this.#retry(subject, write, err);
  }

  async #retry(subject: Subject, write: Write, firstError: unknown): Promise<void> {
    this.#waiting.add(subject);
    const error = await this.#writeAgain(write, firstError);
    const isNews = this.#waiting.delete(subject);
    if (error !== undefined && isNews) this.#giveUp(subject, error);
    if (this.#isIdle) this.#onIdle();
  }

  /** Repeats a write until Redis takes it. Returns the last error where the write is given up. */
  async #writeAgain(write: Write, firstError: unknown): Promise<unknown> {
    const giveUpAt = performance.now() + GIVE_UP_MS;
    let last = firstError;
    do {
      await this.#pause();
      try {
        if (await write()) return undefined;
      } catch (error) {
        last = error;
      }
    } while (!this.#closing && performance.now() < giveUpAt);
    return last;
  }

  #pause(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, RETRY_MS);
      timer.unref();
      this.#sleepers.add(wake);
    });
  }

  #giveUp({ kind, sender, trackingId, counterKey }: Subject, err: unknown): void {
    this.#givenUp += 1;
    this.#log.error(
      {
        kind,
        tracking_id: trackingId,
        client: sender.client.name,
        client_api_key: sender.maskedKey,
        // Its unit stays counted on this day.
        quota_day: counterKey?.slice(-10),
        err,
      },
      'settlement.failed',
    );
  }
}

/** A write that may have been made must not be made again where that would make it twice. */
function mayHaveRun(error: unknown): boolean {
  return error instanceof RedisUnavailable && error.maybeRan;
}
