/** Ends a connection to Redis on which questions stay without an answer, so that a new one is made. */

/** What is watched of an ioredis client. */
export interface WatchedClient {
  readonly stream: { readonly bytesRead: number; destroy(error: Error): unknown };
  /** Commands that have no reply yet. */
  readonly commandQueue: { readonly length: number };
  on(event: 'connect' | 'close', listener: () => void): unknown;
}

/** Milliseconds between two looks. */
const LOOK_EVERY_MS = 500;
/**
 * Looks in a row that find nothing heard and something unanswered, after which the connection is given up: 2.5 to 3 s.
 * Longer than a slow answer; shorter than the pauses of TCP's own retransmissions after a cut, which reach half a minute.
 */
const MOST_SILENT_LOOKS = 5;

/**
 * Ends every connection of a client that falls silent.
 *
 * ioredis's `socketTimeout` does this too, from a timer for each reply. After a pause of the process, timers run before
 * sockets are read, so that one ends a connection whose replies have come meanwhile: the gateway would never know whether
 * their scripts have run. Here looks are counted, not milliseconds, and each look is taken after sockets were read.
 */
export function endWhenSilent(client: WatchedClient, lookEveryMs = LOOK_EVERY_MS): void {
  let timer: NodeJS.Timeout | undefined;
  client.on('connect', () => {
    clearInterval(timer);
    const { stream } = client;
    let heardBytes = 0;
    let silentLooks = 0;
    const look = (): void => {
      if (client.commandQueue.length === 0 || stream.bytesRead !== heardBytes) silentLooks = 0;
      else silentLooks += 1;
      heardBytes = stream.bytesRead;
      if (silentLooks < MOST_SILENT_LOOKS) return;
      clearInterval(timer);
      stream.destroy(new Error(`Redis said nothing for ${(MOST_SILENT_LOOKS * lookEveryMs) / 1000} s`));
    };
    timer = setInterval(() => setImmediate(look), lookEveryMs);
    timer.unref();
  });
  client.on('close', () => clearInterval(timer));
}
