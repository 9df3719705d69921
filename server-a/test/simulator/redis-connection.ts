/** One connection to the simulated Redis: commands and replies stay in order, take their time, and can be lost. */
import type { Choices } from './choices.js';
import { RedisError, type RedisValue } from './lua-machine.js';
import type { Process } from './process.js';
import type { ServedConnection, SimulatedRedis } from './simulated-redis.js';
import { type Event, PHASE, type VirtualTime } from './virtual-time.js';

/** What may happen to one command on its way. */
export const COMMAND_FAILURES = [
  'delayed',
  'lost',
  'reply lost',
  'reply delayed',
  'run late',
  'refused',
  'not run',
] as const;

/** What happens to one command, besides its latency. */
export interface CommandFailure {
  readonly kind: (typeof COMMAND_FAILURES)[number];
  /** Milliseconds. */
  readonly delay: number;
}

/** A command that waits for its reply. */
export interface PendingCommand {
  readonly command: string;
  readonly words: readonly string[];
  readonly onReply: (reply: RedisValue) => void;
  readonly onError: (error: RedisError) => void;
}

/** Who has the connection. */
export interface RedisConnectionOptions {
  readonly server: SimulatedRedis;
  readonly process: Process;
  readonly time: VirtualTime;
  readonly choices: Choices;
  /** Milliseconds, one way. */
  readonly latency: () => number;
  /** Is called as the process, when it hears that the connection has ended. */
  readonly onClosed: () => void;
  readonly trace: (line: string) => void;
}

/** What nodes of a Redis Cluster, and replicas, answer to a script that they do not run. */
const NOT_RUN = [
  'MOVED 4866 10.0.0.1:6379',
  'ASK 4866 10.0.0.1:6379',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  "READONLY You can't write against a read only replica.",
  'CLUSTERDOWN Hash slot not served',
];

/** What Redis answers while it takes no writes. */
const REFUSAL = "OOM command not allowed when used memory > 'maxmemory'.";

/** A connection. */
export class RedisConnection implements ServedConnection {
  open = true;
  readonly #options: RedisConnectionOptions;
  /** Commands on their way, in order. */
  readonly #underWay = new Set<{ event: Event; readonly arrive: () => void }>();
  readonly #replies = new Set<Event>();
  #unanswered = 0;
  #lastArrival = 0;
  #lastReply = 0;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    options.server.connections.add(this);
  }

  of(process: Process): boolean {
    return this.#options.process === process;
  }

  /** Sends a command; it leaves the process now. */
  transmit(pending: PendingCommand, failure: CommandFailure | undefined): void {
    const { server, time, latency } = this.#options;
    if (!this.open) {
      server.lostCalls += 1;
      return;
    }
    this.#unanswered += 1;
    if (failure?.kind === 'lost') {
      this.cut(failure.delay);
      return;
    }
    const delay = failure?.kind === 'delayed' ? failure.delay : 0;
    const at = Math.max(this.#lastArrival, time.now + latency() + delay);
    this.#lastArrival = at;
    this.#underway(at, () => this.#arrive(pending, failure));
    if (failure?.kind === 'run late') this.cut(0, failure.delay);
  }

  /**
   * Ends the connection. Of the commands on their way the first ones may still arrive; no reply does.
   *
   * @param tellAfterMs milliseconds until the process hears of it
   * @param lateMs milliseconds by which all that is on its way still arrives later; undefined = chance decides
   */
  cut(tellAfterMs: number, lateMs?: number): void {
    if (!this.open) return;
    this.open = false;
    const { server, time, process, choices, latency, onClosed } = this.#options;
    server.connections.delete(this);
    const survivors = lateMs === undefined ? choices.integer(0, this.#underWay.size) : this.#underWay.size;
    const late = lateMs ?? choices.pick([0, 0, 50, 900, 4000]);
    for (const [index, item] of [...this.#underWay].entries()) {
      item.event.cancelled = true;
      if (index < survivors) time.at(item.event.at + late, PHASE.io, undefined, item.arrive);
    }
    for (const reply of this.#replies) reply.cancelled = true;
    server.lostCalls += this.#unanswered;
    if (process.alive) process.input(time.now + latency() + tellAfterMs, onClosed);
  }

  #underway(at: number, arrive: () => void): void {
    const item = {
      arrive,
      event: this.#options.time.at(at, PHASE.io, undefined, () => {
        this.#underWay.delete(item);
        arrive();
      }),
    };
    this.#underWay.add(item);
  }

  #arrive(pending: PendingCommand, failure: CommandFailure | undefined): void {
    const { server, trace, process } = this.#options;
    server.receive(() => {
      const { command, words, onReply, onError } = pending;
      let answer: () => void;
      let shown: string;
      try {
        // As a full or a read-only Redis does: only what may write is refused.
        if (failure?.kind === 'refused' && /^[a-z]/.test(command)) throw new RedisError(REFUSAL);
        if (failure?.kind === 'not run' && /^[a-z]/.test(command)) {
          throw new RedisError(NOT_RUN[Math.floor(failure.delay / 7) % NOT_RUN.length] ?? REFUSAL);
        }
        const reply = server.execute(command, words);
        server.onExecuted(process, command, words, reply);
        shown = JSON.stringify(reply);
        answer = () => onReply(reply);
      } catch (error) {
        if (!(error instanceof RedisError)) throw error;
        shown = error.message;
        answer = () => onError(error);
      }
      trace(`redis runs ${command} of ${process.name} (${words.join(' ')}) -> ${shown}`);
      if (failure?.kind === 'reply lost') this.cut(failure.delay);
      if (this.open) this.#reply(answer, replyDelay(failure));
    });
  }

  #reply(answer: () => void, delay: number): void {
    const { time, process, latency } = this.#options;
    const at = Math.max(this.#lastReply, time.now + latency() + delay);
    this.#lastReply = at;
    const event = time.at(at, PHASE.io, process, () => {
      this.#replies.delete(event);
      this.#unanswered -= 1;
      process.pass('reply');
      answer();
    });
    this.#replies.add(event);
  }
}

/** Milliseconds that a reply is late. A redirection comes at once, or late enough to leave less time for what follows. */
function replyDelay(failure: CommandFailure | undefined): number {
  if (failure === undefined) return 0;
  const { kind, delay } = failure;
  return kind === 'reply delayed' || (kind === 'not run' && delay < 600) ? delay : 0;
}
