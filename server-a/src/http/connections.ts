/** All connections of a port: counted, bounded, and closed at a shutdown. */
import type { Server } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Log } from '../logging/log.js';
import type { Metrics } from '../metrics.js';
import { Connection, LINGER_MS, type ReportRefusal } from './connection.js';

/**
 * Milliseconds that a kept-alive connection must have been silent, after the last new connection was refused, before it
 * is closed. A busy sender asks again within this time, and its answer tells it that the connection ends.
 */
const SILENT_FOR_MS = 500;
/** Milliseconds between two looks at the connections during a shutdown. */
const SWEEP_MS = 50;
/** Milliseconds at the most that a shutdown waits for requests to come in whole. */
const GRACE_MS = 1000;
/** Milliseconds between two log lines that say how many connections were turned away. */
const DROPPED_LINE_EVERY_MS = 10_000;

/** What {@link Connections} needs. */
export interface ConnectionsParts {
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'httpRefusals'>;
  /** Count the connections; undefined = these are not the senders', and are not counted. */
  readonly gauges: Pick<Metrics, 'connections' | 'connectionsLimit' | 'connectionsDropped'> | undefined;
  /** Connections at the most; one more is closed as it comes. */
  readonly limit: number;
  /** Milliseconds that a connection lives on after its last answer; undefined = {@link LINGER_MS}. */
  readonly lingerMs?: number | undefined;
}

/** The open connections of a server. */
export class Connections {
  readonly #parts: ConnectionsParts;
  readonly #open = new Set<Connection>();
  #dropped = 0;
  #droppedLine: NodeJS.Timeout | undefined;

  constructor(server: Server, parts: ConnectionsParts) {
    this.#parts = parts;
    parts.gauges?.connectionsLimit.set(parts.limit);
    server.maxConnections = parts.limit;
    server.on('connection', (socket) => this.#add(socket));
    server.on('drop', () => this.#drop());
  }

  /**
   * Stops accepting, and resolves when the last connection is closed: after a short silence where it is idle, with its
   * answers where a request is at work, and within a part of `timeoutMs` where its sender has not sent a request in whole
   * or does not read. A connection closed while a request is on its way to it means a reset for its sender: so busy
   * connections are left to end with their next answer (see responsesThatEnd).
   *
   * @param timeoutMs how long the shutdown may take in all
   */
  close(server: Server, timeoutMs: number): Promise<void> {
    const startedAt = performance.now();
    const graceMs = Math.min(GRACE_MS, timeoutMs / 4);
    const lingerMs = Math.min(LINGER_MS, timeoutMs / 4);
    const silentMs = Math.min(SILENT_FOR_MS, timeoutMs / 4);
    return new Promise((resolve) => {
      const sweep = setInterval(() => {
        const passedMs = performance.now() - startedAt;
        if (passedMs >= silentMs) server.closeIdleConnections();
        if (passedMs < graceMs) return;
        for (const connection of this.#open) connection.hurry(lingerMs);
      }, SWEEP_MS);
      // Not the server's own close(): that closes idle connections at once, and looks no more for requests that take too
      // long.
      NetServer.prototype.close.call(server, () => {
        clearInterval(sweep);
        resolve();
      });
    });
  }

  #add(socket: Socket): void {
    const connection = new Connection(socket, this.#report, this.#parts.lingerMs);
    this.#open.add(connection);
    this.#parts.gauges?.connections.set(this.#open.size);
    // An error ends the connection, which is all there is to do; unheard, it would end the process.
    socket.on('error', (err) => {
      // Mostly a sender that hung up before its answer.
      if (connection.owes) this.#parts.log.debug({ err }, 'response.failed');
    });
    socket.once('close', () => {
      this.#open.delete(connection);
      this.#parts.gauges?.connections.set(this.#open.size);
    });
  }

  readonly #report: ReportRefusal = ({ reason }, status, facts) => {
    this.#parts.metrics.httpRefusals.inc({ reason, status: status ?? 'none' });
    this.#parts.log.info({ reason, status, ...facts }, 'connection.refused');
  };

  /** Says so at once, and then from time to time how many more it were. */
  #drop(): void {
    this.#parts.gauges?.connectionsDropped.inc();
    this.#dropped += 1;
    if (this.#droppedLine !== undefined) return;
    this.#logDropped();
    this.#droppedLine = setInterval(() => {
      if (this.#dropped > 0) this.#logDropped();
      else {
        clearInterval(this.#droppedLine);
        this.#droppedLine = undefined;
      }
    }, DROPPED_LINE_EVERY_MS);
    this.#droppedLine.unref();
  }

  #logDropped(): void {
    const { log, limit } = this.#parts;
    log.warn({ limit, dropped: this.#dropped }, 'connections.dropped');
    this.#dropped = 0;
  }
}
