/** One connection of a sender: which answers are owed on it, and the one way in which it is refused and closed. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { interruptBody } from '../request/body.js';
import { FAULTS, type Fault, faultBody, faultHeaders } from './faults.js';

/**
 * Milliseconds that a connection lives on after its last answer, while what its sender still writes is thrown away: closed
 * at once, the sender's system could drop the answer before the sender reads it. A round trip next door, many times.
 */
export const LINGER_MS = 1000;

/** Is told of each refusal; the status is undefined where the refusal itself is not answered. */
export type ReportRefusal = (fault: Fault, status: number | undefined, details: RefusalDetails) => void;

/** Facts of a refusal, for the log. */
export interface RefusalDetails {
  readonly remote_address: string | undefined;
  /** The parser's name for it. */
  readonly code: string | undefined;
}

const connections = new WeakMap<object, Connection>();

/** Returns the connection that a socket of the HTTP server is. */
export function connectionOf(socket: object): Connection | undefined {
  return connections.get(socket);
}

/**
 * Keeps one rule: a request that the layers have got is answered by them, and by nobody else. A refusal is written only
 * where no answer is owed, so it never stands before or instead of the answer to an earlier request.
 */
export class Connection {
  readonly socket: Socket;
  readonly #report: ReportRefusal;
  /** The latest request, and its answer, until both are over; answers go out in order, so when this one is out, all are. */
  #req: IncomingMessage | undefined;
  #res: ServerResponse | undefined;
  /** Answers before the latest that are not out, of requests that came one behind the other without waiting. */
  readonly #earlier: ServerResponse[] = [];
  /** The last answer is decided: nothing that comes behind it is looked at. */
  #closing = false;
  #lingerMs: number;
  #lingering: NodeJS.Timeout | undefined;

  constructor(socket: Socket, report: ReportRefusal, lingerMs = LINGER_MS) {
    this.socket = socket;
    this.#report = report;
    this.#lingerMs = lingerMs;
    connections.set(socket, this);
    // Node's own listener goes with CONNECT.
    socket.on('timeout', () => socket.destroy());
  }

  /** True while an answer is owed on it. */
  get owes(): boolean {
    return this.#res?.writableFinished === false;
  }

  /** Takes note of a request. Returns false where the connection's last answer is decided: the request must be dropped. */
  take(req: IncomingMessage, res: ServerResponse): boolean {
    if (this.#closing) {
      req.resume();
      return false;
    }
    if (this.#res?.writableFinished === false) {
      while (this.#earlier[0]?.writableFinished === true) this.#earlier.shift();
      this.#earlier.push(this.#res);
    }
    this.#req = req;
    this.#res = res;
    return true;
  }

  /**
   * Lets go of the latest request, if this is its answer: it is out, and the request is here in whole. What an idle
   * connection still held would be copied by every collection of young objects.
   */
  letGo(res: ServerResponse): void {
    if (this.#res !== res || this.#req?.complete !== true) return;
    this.#req = undefined;
    this.#res = undefined;
  }

  /**
   * Closes the connection because of what came over it. Answers that are owed go out first. A request whose body has not
   * come in whole is answered by its layers, which are told; the fault itself is answered only if nothing is owed.
   *
   * @param code the parser's name for the fault
   */
  refuse(fault: Fault, code?: string): void {
    // The parser reports each further piece of what it does not understand.
    if (this.#closing || this.socket.destroyed) return;
    const [req, res] = [this.#req, this.#res];
    const owed = res !== undefined && !res.writableFinished;
    // An answer that went out before its request was here in whole was the answer to this, too.
    const incomplete = req?.complete === false;
    const status = owed || incomplete || !this.socket.writable ? undefined : fault.status;
    this.#report(fault, status, { remote_address: this.socket.remoteAddress, code });
    if (owed) {
      this.closeAfter(res);
      if (incomplete) interruptBody(req, fault);
      return;
    }
    if (status !== undefined) this.socket.write(asBytes(fault));
    this.#linger();
  }

  /** Answers the latest request with a fault of its head, in its turn, and closes the connection behind the answer. */
  refuseRequest(fault: Fault, res: ServerResponse): void {
    this.#report(fault, fault.status, { remote_address: this.socket.remoteAddress, code: undefined });
    const body = faultBody(fault);
    this.closeAfter(res);
    res.req.resume();
    res.writeHead(fault.status, faultHeaders(fault, body));
    res.end(body);
  }

  /** Makes an answer the connection's last. */
  closeAfter(res: ServerResponse): void {
    this.#closing = true;
    if (!res.headersSent) res.shouldKeepAlive = false;
    // Node destroys the connection behind its last answer by this; the sender may still be writing.
    this.socket.destroySoon = () => this.#linger();
    res.once('close', () => this.#linger());
  }

  /**
   * Ends what a shutdown need not wait for: requests that have not come in whole, and answers that nobody reads. What the
   * layers are at work on goes on.
   */
  hurry(lingerMs: number): void {
    this.#lingerMs = lingerMs;
    const [req, res] = [this.#req, this.#res];
    if (this.socket.bytesRead === 0) this.socket.destroy();
    else if (res === undefined || res.writableFinished || req?.complete === false)
      this.refuse(FAULTS.shutdown);
    const written = res?.writableEnded === true && this.#earlier.every((answer) => answer.writableEnded);
    if (written && !res.writableFinished) this.#linger();
  }

  #linger(): void {
    if (this.socket.destroyed || this.#lingering !== undefined) return;
    this.#closing = true;
    // Where the process has stood still, timers come before the bytes that have arrived meanwhile. Unread, they would make
    // the close a reset, and a reset can cost the sender its answers: so one more look before the end.
    this.#lingering = setTimeout(
      () => setImmediate(() => setImmediate(() => this.socket.destroy())),
      this.#lingerMs,
    );
    this.socket.once('close', () => clearTimeout(this.#lingering));
    this.socket.end();
    this.#req?.resume();
    this.socket.resume();
  }
}

function asBytes(fault: Fault): string {
  const body = faultBody(fault);
  const headers = Object.entries(faultHeaders(fault, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}\r\n${headers.join('')}\r\n${body}`;
}
