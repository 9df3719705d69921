/** A name server for the drill: discovery in a container network is DNS, where dead containers have no address. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const NAME_ERROR = 3;

/** Answers questions for IPv4 addresses by UDP; names without an address do not exist. */
export class NameServer {
  /** IPv4 addresses by name, in lower case; may be changed at any time. */
  readonly addresses = new Map<string, readonly string[]>();
  readonly #socket: Socket = createSocket('udp4');

  /** Begins to answer on port 53 of 127.0.0.1. @throws when it may not listen there */
  async start(): Promise<void> {
    this.#socket.on('message', (question, { port, address }) => {
      this.#socket.send(this.#answer(question), port, address);
    });
    this.#socket.bind(53, '127.0.0.1');
    await once(this.#socket, 'listening');
    this.#socket.unref();
  }

  stop(): void {
    this.#socket.close();
  }

  #answer(question: Buffer): Buffer {
    const { name, end } = readName(question);
    const type = question.readUInt16BE(end);
    const known = this.addresses.get(name) ?? [];
    const shown = type === TYPE_A ? known : [];
    const header = Buffer.alloc(HEADER_BYTES);
    question.copy(header, 0, 0, 2);
    // An answer, with the asker's wish for recursion granted.
    header.writeUInt16BE(0x8180 | (known.length === 0 ? NAME_ERROR : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(shown.length, 6);
    const records = shown.map((address) =>
      Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    return Buffer.concat([header, question.subarray(HEADER_BYTES, end + 4), ...records]);
  }
}

function readName(question: Buffer): { readonly name: string; readonly end: number } {
  const parts: string[] = [];
  let at = HEADER_BYTES;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    parts.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: parts.join('.').toLowerCase(), end: at + 1 };
}
