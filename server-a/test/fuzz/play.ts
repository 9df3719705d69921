/** Plays the script of a connection, and holds what comes back to what may. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { type FuzzAnswer, readAnswers } from './answers.js';
import type { Script } from './script.js';
import type { Stalls } from './stalls.js';

/** Milliseconds that an answer, or the end of a connection, may take. */
const ANSWER_LIMIT_MS = 3000;
/** Milliseconds for the end of a connection that its sender left open: 10 s for a request, and what the gateway adds. */
const STALL_LIMIT_MS = 14_000;
/** Milliseconds without a byte after which the probe counts as taken for part of what came before it. */
const SILENCE_MS = 120;

/** What came of a connection. */
export interface Played {
  /** Answers that came back, whole. */
  readonly answers: readonly FuzzAnswer[];
  /** What is not as it must be. */
  readonly faults: readonly string[];
  /** Milliseconds from the last byte written to the answer of the probe, or to the connection's end. */
  readonly endedMs: number;
  /** The honest request behind the inputs was answered. */
  readonly probed: boolean;
  /** Texts of messages that were accepted. */
  readonly accepted: readonly string[];
  /** The connection broke while this process stood still: it wrote too late, and may have lost answers. */
  readonly lost: boolean;
}

/** Plays a script against a gateway on this port. */
export async function play(script: Script, port: number, stalls: Stalls): Promise<Played> {
  const startedAt = performance.now();
  const wire = await Wire.open(port);
  for (const piece of script.pieces) {
    wire.write(piece);
    if (script.pieces.length > 1) await (script.pauseMs === 0 ? nextTurn() : delay(script.pauseMs));
  }
  const faults: string[] = [];
  let writtenAt = performance.now();
  let endedMs = 0;
  let probed = false;
  if (script.ending === 'reset') {
    wire.socket.resetAndDestroy();
  } else if (script.ending === 'probe') {
    wire.write(script.probe);
    const silenceMs = allKnown(script) ? ANSWER_LIMIT_MS : SILENCE_MS;
    probed = await wire.until(() => wire.received.includes(script.probeId), silenceMs);
    if (probed) endedMs = performance.now() - writtenAt;
    writtenAt = performance.now();
  }
  if (script.ending !== 'stall') wire.socket.end();
  const limitMs = script.ending === 'stall' ? STALL_LIMIT_MS : ANSWER_LIMIT_MS;
  if (!(await wire.closedWithin(limitMs))) {
    faults.push(`the connection is not closed after ${limitMs} ms`);
    wire.socket.destroy();
  }
  // A stalled one takes the time that is documented.
  if (script.ending !== 'stall') endedMs = Math.max(endedMs, performance.now() - writtenAt);
  if (wire.brokenBy !== undefined && script.ending !== 'reset') {
    if (stalls.since(startedAt))
      return { answers: [], faults: [], endedMs: 0, probed, accepted: [], lost: true };
    faults.push(`the connection broke: ${wire.brokenBy}`);
  }
  return { ...judge(script, wire.received, probed, faults), endedMs, probed, lost: false };
}

const allKnown = ({ inputs }: Script): boolean => inputs.every(({ status }) => status !== undefined);

function judge(
  script: Script,
  received: string,
  probed: boolean,
  faults: string[],
): Pick<Played, 'answers' | 'faults' | 'accepted'> {
  const cut = script.ending === 'reset';
  const heads = Buffer.concat(script.pieces).includes('HEAD');
  let answers: readonly FuzzAnswer[] = [];
  try {
    const read = readAnswers(received, heads);
    ({ answers } = read);
    if (read.rest !== '' && !cut) faults.push(`bytes that are no whole answer: ${read.rest.slice(0, 300)}`);
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  }
  const accepted: string[] = [];
  script.inputs.every(({ status, text }, n) => {
    // Behind the first whose answer is not known, nothing is.
    if (status === undefined) return false;
    const answer = answers[n];
    if (answer?.status !== status && !(cut && answer === undefined)) {
      faults.push(`input ${n} must be answered ${status}, and was ${answer?.status ?? 'not'}`);
    }
    if (answer !== undefined && text !== undefined) accepted.push(text);
    return true;
  });
  const closing = answers.findIndex(({ last }) => last);
  if (closing >= 0 && closing < answers.length - 1) faults.push('an answer behind the one that closes');
  if (allKnown(script) && script.ending === 'probe' && !probed)
    faults.push('a kept connection did not serve the next request at once');
  return { answers, faults, accepted };
}

/** A connection and what came over it. */
class Wire {
  readonly socket: Socket;
  received = '';
  brokenBy: string | undefined;
  #closed = false;
  #heardAt = performance.now();
  #changed: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
      this.#heardAt = performance.now();
      this.#changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.brokenBy ??= error.code ?? error.message;
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#changed();
    });
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new Wire(socket));
      });
    });
  }

  /** Writes, unless the gateway has ended the connection already, as it may. */
  write(bytes: Buffer): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** Resolves with true when it is so; with false when the connection is closed, or silent for so long, before. */
  async until(isSo: () => boolean, silenceMs: number): Promise<boolean> {
    this.#heardAt = performance.now();
    for (;;) {
      if (isSo()) return true;
      const leftMs = this.#heardAt + silenceMs - performance.now();
      if (this.#closed || leftMs <= 0) return false;
      await this.#changeWithin(leftMs);
    }
  }

  async closedWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!this.#closed && performance.now() < deadline) {
      await this.#changeWithin(deadline - performance.now());
    }
    return this.#closed;
  }

  #changeWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
