/** Publishing with confirms: every message has an outcome, in time, and memory stays flat. */
import type { Options } from 'amqplib';
import type { Metrics, PublishResult } from '../metrics.js';
import { ReplyDeadlines, type Wait } from '../reply-deadlines.js';
import type { RabbitMqLink, Unusable } from './connect.js';

/** Kinds of messages. */
export type MessageKind = 'sms' | 'heartbeat';

/** A message to hand to the broker. */
export interface OutgoingMessage {
  /** What it is, for the metrics. */
  readonly kind: MessageKind;
  readonly queue: string;
  readonly content: Buffer;
  readonly options: Options.Publish & { readonly messageId: string };
}

/** Why a message is certainly not in its queue. */
export type RefusalReason = Unusable | 'overloaded' | 'closing' | 'returned' | 'nacked';

/** How an unknown outcome ends: the confirm or the refusal came late, or the connection ended without either. */
export type LateOutcome = 'confirmed' | 'refused' | 'unknown';

/** What became of a publish within its time. */
export type PublishOutcome =
  | { readonly kind: 'confirmed' }
  /** Definite: the message is in no queue. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  /** The message was sent, and nothing was heard of it. */
  | {
      readonly kind: 'unknown';
      readonly reason: 'timed_out' | 'connection_lost';
      readonly late: Promise<LateOutcome>;
    };

const CONFIRMED: PublishOutcome = { kind: 'confirmed' };
const LOST: Promise<LateOutcome> = Promise.resolve('unknown');

/** What amqplib says of a negative confirm; every other error means that the channel ended. */
const NACKED = 'message nacked';

/** One message on its way. */
class Publish implements Wait {
  readonly kind: MessageKind;
  readonly messageId: string;
  readonly sentAt = performance.now();
  /** Answers the request; undefined once answered. */
  resolve: ((outcome: PublishOutcome) => void) | undefined;
  /** Tells what came after the limit; set when the limit has passed. */
  resolveLate: ((outcome: LateOutcome) => void) | undefined;
  readonly #timedOut: (kind: MessageKind) => void;

  constructor(
    { kind, options }: OutgoingMessage,
    resolve: (outcome: PublishOutcome) => void,
    timedOut: (kind: MessageKind) => void,
  ) {
    this.kind = kind;
    this.messageId = options.messageId;
    this.resolve = resolve;
    this.#timedOut = timedOut;
  }

  expire(): void {
    this.#timedOut(this.kind);
    const late = new Promise<LateOutcome>((resolve) => {
      this.resolveLate = resolve;
    });
    this.resolve?.({ kind: 'unknown', reason: 'timed_out', late });
    this.resolve = undefined;
  }
}

/** Publishes persistent messages on the link's confirm channel. */
export class Publisher {
  readonly #link: RabbitMqLink;
  readonly #metrics: Metrics;
  readonly #maxInFlight: number;
  readonly #deadlines: ReplyDeadlines;
  /** Ids that the broker has returned and not yet confirmed: the return comes just before its confirm. */
  readonly #returned = new Set<string>();
  readonly #confirmed;
  readonly #timedOut = (kind: MessageKind): void => {
    this.#count(kind, 'timed_out');
    this.#endAwaiting();
  };
  #inFlight = 0;
  /** Messages whose time for a confirm is not over. */
  #awaited = 0;
  #closing = false;
  #onIdle: (() => void) | undefined;

  /**
   * @param timeoutMs milliseconds to wait for a confirm before the outcome counts as unknown
   * @param maxInFlight messages that may be unconfirmed at once, those that timed out included
   */
  constructor(link: RabbitMqLink, metrics: Metrics, timeoutMs: number, maxInFlight: number) {
    this.#link = link;
    this.#metrics = metrics;
    this.#maxInFlight = maxInFlight;
    this.#deadlines = new ReplyDeadlines(timeoutMs);
    this.#confirmed = {
      sms: metrics.publishes.labels('sms', 'confirmed'),
      heartbeat: metrics.publishes.labels('heartbeat', 'confirmed'),
    };
    metrics.publishesInFlightLimit.set(maxInFlight);
  }

  /** Connects, in the background and for ever. @param onReady is called whenever messages can flow (again) */
  start(onReady: () => void): Promise<void> {
    return this.#link.start({
      onReady,
      onReturn: (messageId) => {
        this.#returned.add(messageId);
        this.#link.restoreQueues();
      },
    });
  }

  /** Messages that wait for a confirm. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Says why a message would be refused now, and counts the refusal; undefined = it would be sent. */
  refuse(kind: MessageKind): RefusalReason | undefined {
    const reason = this.#refusal();
    if (reason !== undefined) this.#count(kind, 'refused');
    return reason;
  }

  /** Hands one message over. Never rejects, and answers within the time limit; refuses at once what cannot be sent. */
  publish(message: OutgoingMessage): Promise<PublishOutcome> {
    const channel = this.#link.channelForPublish();
    const reason = this.#refusal();
    if (reason !== undefined || channel === undefined)
      return this.#refused(message, reason ?? 'disconnected');
    return new Promise((resolve) => {
      const publish = new Publish(message, resolve, this.#timedOut);
      try {
        channel.publish('', message.queue, message.content, message.options, (error: unknown) => {
          this.#settle(publish, error);
        });
      } catch {
        // Thrown before a byte was sent: the channel ended in this very turn.
        resolve(this.#refused(message, 'disconnected'));
        return;
      }
      this.#inFlight += 1;
      this.#awaited += 1;
      this.#deadlines.begin(publish);
    });
  }

  /** Refuses new messages and waits until every sent one has its outcome, known or unknown. */
  async drain(): Promise<void> {
    this.#closing = true;
    if (this.#awaited === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #refusal(): RefusalReason | undefined {
    if (this.#closing) return 'closing';
    if (this.#inFlight >= this.#maxInFlight) return 'overloaded';
    return this.#link.unusable;
  }

  async #refused({ kind }: OutgoingMessage, reason: RefusalReason): Promise<PublishOutcome> {
    this.#count(kind, 'refused');
    return { kind: 'refused', reason };
  }

  #count(kind: MessageKind, outcome: PublishResult): void {
    this.#metrics.publishes.inc({ kind, outcome });
  }

  #settle(publish: Publish, error: unknown): void {
    this.#inFlight -= 1;
    this.#deadlines.end(publish);
    const inTime = publish.resolve !== undefined;
    const returned = this.#returned.size > 0 && this.#returned.delete(publish.messageId);
    if (error === null && !returned) {
      this.#confirmed[publish.kind].inc();
      this.#metrics.publishDuration.observe((performance.now() - publish.sentAt) / 1000);
      publish.resolve?.(CONFIRMED);
      publish.resolveLate?.('confirmed');
    } else if (returned || (error instanceof Error && error.message === NACKED)) {
      const reason = returned ? 'returned' : 'nacked';
      this.#count(publish.kind, reason);
      publish.resolve?.({ kind: 'refused', reason });
      publish.resolveLate?.('refused');
    } else {
      this.#count(publish.kind, 'connection_lost');
      publish.resolve?.({ kind: 'unknown', reason: 'connection_lost', late: LOST });
      publish.resolveLate?.('unknown');
    }
    if (inTime) this.#endAwaiting();
  }

  #endAwaiting(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#onIdle?.();
  }
}
