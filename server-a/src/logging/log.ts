/** JSON logs: one object a line on stdout, with `service`, `level`, `timestamp` and `message` on every line. */
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { isoNow } from '../clock.js';
import { NEW_KEY_PREFIX } from '../config/api-key.js';
import { LogBuffer } from './buffer.js';
import type { EventAt, LogLevel } from './events.js';
import { inSource } from './source-places.js';

/** Writes a line: its facts as fields, then the name of the event. */
interface LineWriter<Level extends LogLevel> {
  (fields: object, event: EventAt<Level>): void;
  (event: EventAt<Level>): void;
}

/** The logger that every part is given: it knows the events of the catalogue, each at its levels, and no others. */
export type Log = { readonly [Level in LogLevel]: LineWriter<Level> } & {
  /** Makes a log whose lines all begin with these facts, which are made text once. */
  child(facts: Readonly<Record<string, unknown>>): Log;
};

/** A logger and the way to empty it. */
export interface Logging {
  readonly log: Log;
  /** Writes out what is buffered, synchronously; call before the process ends. */
  readonly flush: () => void;
  /**
   * Writes out what is buffered, in order behind what is being written already, which `flush` would overtake. Resolves
   * when it is written, or when nobody takes it.
   */
  readonly drain: () => Promise<void>;
}

/** Characters gathered before a write: one system call for some hundred lines under load. */
const BUFFER_CHARACTERS = 32 * 1024;
/** Milliseconds after which a gathered line is written even though the buffer is not full. */
const FLUSH_INTERVAL_MS = 100;

/** Milliseconds that the end of an orderly shutdown waits for whoever reads the log. */
const DRAIN_LIMIT_MS = 500;

/**
 * Makes the process's logger, which writes to stdout asynchronously.
 *
 * @param level least level that is written
 */
export function createLogging(service: string, level: string): Logging {
  const destination = pino.destination({
    fd: 1,
    sync: false,
    // More than it is ever handed: it writes when it is told to.
    minLength: 2 * BUFFER_CHARACTERS,
    maxWrite: 4 * BUFFER_CHARACTERS,
  });
  const buffer = new LogBuffer(destination, BUFFER_CHARACTERS);
  // Nobody reads stdout any more (EPIPE): logging is over, serving is not.
  destination.on('error', () => {});
  const timer = setInterval(() => buffer.flush(), FLUSH_INTERVAL_MS);
  timer.unref();
  return {
    log: createLog(service, level, buffer),
    drain: () =>
      new Promise((resolve) => {
        setTimeout(resolve, DRAIN_LIMIT_MS);
        buffer.flush();
        destination.flush(() => resolve());
      }),
    flush: () => {
      clearInterval(timer);
      try {
        buffer.flushSync();
      } catch {
        // stdout is gone, or not open yet: there is nobody to tell.
      }
    },
  };
}

/** Makes a logger onto any stream; tests give their own. It takes any text as an event. */
export function createLog(service: string, level: string, destination: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: { service },
    messageKey: 'message',
    timestamp: timestampNow,
    formatters: { level: (label) => ({ level: label }) },
    // No caller logs to, text or api_key. If one ever does, the line shows `[redacted]`. (pino's `redact` would search
    // every line for these fields; a serializer costs nothing where its field is absent.)
    serializers: { err: describeError, to: redacted, text: redacted, api_key: redacted },
  };
  return pino(options, destination);
}

let stamped = { time: '', text: '' };

/** Returns the member of a line that tells the time; made once for all lines of a millisecond. */
function timestampNow(): string {
  const time = isoNow();
  if (time !== stamped.time) stamped = { time, text: `,"timestamp":"${time}"` };
  return stamped.text;
}

const redacted = (): string => '[redacted]';

const STACK_LINE = /^ +at /;

/** What is logged of an error: never the command that failed (it holds keys) nor a URL (it holds passwords). */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  return {
    type: error.name,
    message: error.message.replace(/\/\/[^@/\s]*@/g, '//***@'),
    ...('code' in error && { code: error.code }),
    // Its places alone: what is before them is the message, as it was before the URL in it was masked.
    stack: error.stack
      ?.split('\n')
      .filter((line) => STACK_LINE.test(line))
      .slice(0, 5)
      .map((line) => inSource(line.trim())),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}

/** Characters of an API key that are shown; of one that was made here, so many behind its prefix, which all of them share. */
const SHOWN_CHARACTERS = { chosen: 6, made: 4 };

/**
 * Masks an API key: enough to recognise it, useless to use. At most a quarter of it shows, never more than six
 * characters; of one that was made here, its prefix and four.
 */
export function maskApiKey(key: string): string {
  const most = key.startsWith(NEW_KEY_PREFIX)
    ? NEW_KEY_PREFIX.length + SHOWN_CHARACTERS.made
    : SHOWN_CHARACTERS.chosen;
  const shown = Math.min(most, Math.floor(key.length / 4));
  return `${key.slice(0, shown)}***`;
}
