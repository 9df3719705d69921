/** Publishing with confirms: every message has an outcome, in time, and memory stays flat. */
import type { Options } from 'amqplib';
import type { PublishEnd } from '../attempt/outcomes.js';
import { ReplyDeadlines, Wait } from '../connection/reply-deadlines.js';
import type { Metrics, PublishResult } from '../metrics.js';
import type { LateEnd, MessageKind, PublishLink, Unusable } from './publish-link.js';
import { Slots } from './slots.js';

/** A message to hand to the broker. */
export interface OutgoingMessage {
  /** What it is, for the metrics. */
  readonly kind: MessageKind;
  /** Id of the client whose slot it takes; left out for the gateway's own. */
  readonly client?: string;
  readonly queue: string;
  readonly content: Buffer;
  /** `correlationId` is the publisher's: it names the attempt, and comes back with a message that no queue took. */
  readonly options: Options.Publish & { readonly messageId: string; correlationId: string };
}

/** Stands in a message's `correlationId` until the publisher sets it. */
export const SET_BY_PUBLISHER = '';

/** Why a message was not sent. */
export type NotSentReason = Unusable | 'overloaded' | 'over_share' | 'closing' | 'out_of_time' | 'lease_over';

/** How a publish ended within its time. */
export type PublishOutcome =
  | { readonly end: Exclude<PublishEnd, 'not_sent' | 'timed_out'> }
  | { readonly end: 'not_sent'; readonly reason: NotSentReason }
  /** The message was sent, and nothing was heard of it in time; `late` tells what was heard afterwards. */
  | { readonly end: 'timed_out'; readonly late: Promise<LateEnd> };

const CONFIRMED: PublishOutcome = { end: 'confirmed' };

/** What amqplib says of a negative confirm; every other error means that the channel ended. */
const NACKED = 'message nacked';

/** One message on its way. */
class Publish extends Wait {
  readonly kind: MessageKind;
  readonly client: string | undefined;
  /** Names this attempt to publish; the message's own id can be on the channel twice. */
  readonly id: string;
  readonly sentAt = performance.now();
  /** Answers the request; undefined once answered. */
  resolve: ((outcome: PublishOutcome) => void) | undefined;
  /** Tells what came after the limit; set when the limit has passed. */
  resolveLate: ((end: LateEnd) => void) | undefined;
  readonly #timedOut: (publish: Publish) => void;

  constructor(
    { kind, client }: OutgoingMessage,
    id: string,
    resolve: (outcome: PublishOutcome) => void,
    timedOut: (publish: Publish) => void,
  ) {
    super();
    this.kind = kind;
    this.client = client;
    this.id = id;
    this.resolve = resolve;
    this.#timedOut = timedOut;
  }

  override expire(): void {
    this.#timedOut(this);
    const late = new Promise<LateEnd>((resolve) => {
      this.resolveLate = resolve;
    });
    this.resolve?.({ end: 'timed_out', late });
    this.resolve = undefined;
  }
}

/** Publishes persistent messages on the link's confirm channel. */
export class Publisher {
  readonly #link: PublishLink;
  readonly #metrics: Metrics;
  readonly #slots: Slots;
  readonly #deadlines: ReplyDeadlines;
  /** Publishes that the broker has returned and not yet confirmed: the return comes just before its confirm. */
  readonly #returned = new Set<string>();
  readonly #confirmed;
  readonly #timedOut = ({ kind, sentAt }: Publish): void => {
    this.#count(kind, 'timed_out');
    this.#link.ended?.(kind, 'timed_out', sentAt);
    this.#endAwaiting();
  };
  #publishes = 0;
  /** Messages whose time for a confirm is not over. */
  #awaited = 0;
  #closing = false;
  #onIdle: (() => void) | undefined;

  /**
   * @param timeoutMs milliseconds to wait for a confirm before the outcome counts as unknown
   * @param maxInFlight messages that may be unconfirmed at once, those that timed out included
   */
  constructor(link: PublishLink, metrics: Metrics, timeoutMs: number, maxInFlight: number) {
    this.#link = link;
    this.#metrics = metrics;
    this.#slots = new Slots(maxInFlight);
    this.#deadlines = new ReplyDeadlines(timeoutMs);
    this.#confirmed = {
      sms: metrics.publishes.kept({ kind: 'sms', outcome: 'confirmed' }),
      heartbeat: metrics.publishes.kept({ kind: 'heartbeat', outcome: 'confirmed' }),
    };
    metrics.publishesInFlightLimit.set(maxInFlight);
  }

  /** Connects, in the background and for ever. @param onReady is called whenever messages can flow (again) */
  start(onReady: () => void): void {
    this.#link.start({
      onReady,
      onReturn: (publishId) => {
        this.#returned.add(publishId);
        this.#link.restoreQueues();
      },
    });
  }

  /** Messages that wait for a confirm. */
  get inFlight(): number {
    return this.#slots.taken;
  }

  /**
   * Returns why a message cannot be sent now, and counts it; undefined = it would be sent.
   *
   * @param client id of the client whose message it is; undefined = the gateway's own
   */
  whyNot(kind: MessageKind, client?: string): NotSentReason | undefined {
    const reason = this.#reason(client);
    if (reason !== undefined) this.#count(kind, 'refused');
    return reason;
  }

  /**
   * Hands one message over. Never rejects, and answers within the time limit; what cannot be sent, at once.
   *
   * @param limitMs milliseconds to wait for the confirm, if less than usual
   */
  publish(message: OutgoingMessage, limitMs?: number): Promise<PublishOutcome> {
    const channel = this.#link.channelForPublish();
    const reason = this.#reason(message.client);
    if (reason !== undefined || channel === undefined) {
      return Promise.resolve(this.notSent(message.kind, reason ?? 'disconnected'));
    }
    return new Promise((resolve) => {
      this.#publishes += 1;
      const publish = new Publish(message, this.#publishes.toString(36), resolve, this.#timedOut);
      message.options.correlationId = publish.id;
      try {
        channel.publish('', message.queue, message.content, message.options, (error: unknown) => {
          this.#ended(publish, error);
        });
      } catch {
        // Thrown before a byte was sent: the channel ended in this very turn.
        resolve(this.notSent(message.kind, 'disconnected'));
        return;
      }
      this.#slots.take(publish.client);
      this.#awaited += 1;
      this.#deadlines.begin(publish, limitMs);
    });
  }

  /** Counts a message that is not sent, and returns its outcome. */
  notSent(kind: MessageKind, reason: NotSentReason): PublishOutcome {
    this.#count(kind, 'refused');
    return { end: 'not_sent', reason };
  }

  /** Refuses new messages and waits until every sent one has its outcome, known or unknown. */
  async drain(): Promise<void> {
    this.#closing = true;
    if (this.#awaited === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #reason(client: string | undefined): NotSentReason | undefined {
    if (this.#closing) return 'closing';
    return this.#slots.whyNot(client) ?? this.#link.unusable;
  }

  #count(kind: MessageKind, outcome: PublishResult): void {
    this.#metrics.publishes.inc({ kind, outcome });
  }

  #ended(publish: Publish, error: unknown): void {
    this.#slots.giveBack(publish.client);
    this.#deadlines.end(publish);
    const inTime = publish.resolve !== undefined;
    const end = this.#endOf(publish, error);
    this.#link.ended?.(publish.kind, end, publish.sentAt);
    if (end === 'confirmed') {
      this.#confirmed[publish.kind].inc();
      this.#metrics.publishDuration.observe((performance.now() - publish.sentAt) / 1000);
      publish.resolve?.(CONFIRMED);
    } else {
      this.#count(publish.kind, end);
      publish.resolve?.({ end });
    }
    publish.resolveLate?.(end);
    if (inTime) this.#endAwaiting();
  }

  #endOf(publish: Publish, error: unknown): LateEnd {
    // A message that came back is in no queue, whatever became of its confirm.
    if (this.#returned.size > 0 && this.#returned.delete(publish.id)) return 'returned';
    if (error === null) return 'confirmed';
    return error instanceof Error && error.message === NACKED ? 'nacked' : 'connection_lost';
  }

  #endAwaiting(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#onIdle?.();
  }
}
