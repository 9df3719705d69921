/** JSON logs: one object a line on stdout, with `service`, `level`, `timestamp` and `message` on every line. */
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import { isoNow } from './clock.js';
import { LogBuffer } from './log-buffer.js';

/** The logger that every part is given. */
export type Log = Logger;

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

/** Makes a logger onto any stream; tests give their own. */
export function createLog(service: string, level: string, destination: DestinationStream): Log {
  const options: LoggerOptions = {
    level,
    base: { service },
    messageKey: 'message',
    timestamp: () => `,"timestamp":"${isoNow()}"`,
    formatters: { level: (label) => ({ level: label }) },
    // A net under the rope: no call site logs these three, and if one ever does, they do not come out. (pino's `redact`
    // looks for them in every line; a serializer costs only where its field is.)
    serializers: { err: describeError, to: redacted, text: redacted, api_key: redacted },
  };
  return pino(options, destination);
}

const redacted = (): string => '[redacted]';

/** What is logged of an error: never the command that failed (it holds keys) nor a URL (it holds passwords). */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  return {
    type: error.name,
    message: error.message.replace(/\/\/[^@/\s]*@/g, '//***@'),
    ...('code' in error && { code: error.code }),
    stack: error.stack
      ?.split('\n')
      .slice(1, 6)
      .map((line) => line.trim()),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}

/**
 * Masks an API key: enough to recognise it, useless to use. At most a quarter of it shows, never more than six
 * characters.
 */
export function maskApiKey(key: string): string {
  const shown = Math.min(6, Math.floor(key.length / 4));
  return `${key.slice(0, shown)}***`;
}
