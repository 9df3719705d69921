/** Senders that do as docs/sending.md says: the same key until there is a decision, with growing pauses. */
import type { Choices } from './choices.js';
import type { BodyKind, ParsedAnswer, RequestRecord } from './records.js';

/** Milliseconds that a sender waits for an answer. */
const ATTEMPT_MS = 5000;
/** Milliseconds that a sender waits after a 429 at the most: not every sender waits until midnight. */
const MOST_PATIENCE_MS = 75_000;

/** What a sender sends. */
export interface SenderPlan {
  /** `sender#3` */
  readonly id: string;
  readonly key: string | undefined;
  readonly client: RequestRecord['client'];
  readonly body: BodyKind;
  /** Providers that the body names; none = the field is left out. */
  readonly providers: readonly string[];
  readonly beginsAt: number;
  /** Attempts at the most; a sender with a message of its own does not give up. */
  readonly attempts: number;
}

/** What a sender needs of the world. */
export interface SenderWorld {
  readonly after: (ms: number, run: () => void) => void;
  readonly now: () => number;
  /** Sends one request to some gateway. @param onEnd is told the answer, or undefined when there is none */
  readonly send: (plan: SenderPlan, onEnd: (answer: ParsedAnswer | undefined) => void) => void;
  /** Probability of hanging up early, and of asking again after a decision. */
  readonly impatience: number;
  /** True at the end of the history: nobody asks any more. */
  readonly isOver: () => boolean;
  /** False once the world heals: then everybody is patient, so that histories end. */
  readonly mayMisbehave: () => boolean;
}

/** A sender. */
export class Sender {
  readonly plan: SenderPlan;
  /** It has its decision, or has given up. */
  done = false;
  lastAnswer: ParsedAnswer | undefined;
  readonly #world: SenderWorld;
  readonly #choices: Choices;
  #attempt = 0;

  constructor(plan: SenderPlan, world: SenderWorld, choices: Choices) {
    this.plan = plan;
    this.#world = world;
    this.#choices = choices;
    world.after(plan.beginsAt - world.now(), () => this.#try());
  }

  #try(): void {
    const { after, send, impatience, mayMisbehave, isOver } = this.#world;
    if (isOver()) return;
    this.#attempt += 1;
    let over = false;
    const end = (answer: ParsedAnswer | undefined): void => {
      if (over) return;
      over = true;
      this.#goOn(answer);
    };
    const hangsUp = this.#choices.chance(impatience) && mayMisbehave();
    const patience = hangsUp ? this.#choices.skewed(1, 2500) : ATTEMPT_MS;
    after(patience, () => end(undefined));
    send(this.plan, end);
  }

  #goOn(answer: ParsedAnswer | undefined): void {
    const { after, impatience, mayMisbehave } = this.#world;
    const isFinal = answer !== undefined && isDecision(answer);
    this.lastAnswer = answer;
    const asksAgain = isFinal && this.#choices.chance(impatience) && mayMisbehave();
    if ((isFinal && !asksAgain) || this.#attempt >= this.plan.attempts) {
      this.done = true;
      return;
    }
    const growing = 1000 * Math.min(2 ** (this.#attempt - 1), 30) * this.#choices.next();
    const retryAfter = 1000 * (answer?.retryAfter ?? 0);
    after(Math.max(growing, Math.min(retryAfter, this.#choices.skewed(500, MOST_PATIENCE_MS))), () =>
      this.#try(),
    );
  }
}

/** True for an answer after which a sender does not come back. */
export function isDecision({ status, retryAfter }: ParsedAnswer): boolean {
  return status !== 408 && status < 500 && retryAfter === undefined;
}
