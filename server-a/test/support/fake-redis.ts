import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** What a {@link FakeRedis} answers: a string goes out as it is, an error as an error of Redis. */
export type FakeReply = string | number | Error | readonly FakeReply[];

/** A server that speaks Redis's protocol, for what no real Redis does when a test wants it. */
export interface FakeRedis {
  readonly port: number;
  /** Host and port. */
  readonly address: string;
  /** Commands so far, name and arguments, in capitals. */
  readonly commands: readonly string[];
  /** Connections open now. */
  readonly open: () => number;
  /** Ends the open connections. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Starts one on a free port of 127.0.0.1.
 *
 * @param answer is given a command and its arguments in capitals; undefined = what a master says that has just started,
 *   null = nothing
 */
export async function startFakeRedis(
  answer: (command: string, port: number) => FakeReply | null | undefined,
): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const commands: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let rest = '';
    socket.setEncoding('latin1').on('data', (bytes) => {
      rest += bytes;
      for (let end = 0; ; rest = rest.slice(end)) {
        const [words, length] = parse(rest);
        if (words === undefined) break;
        end = length;
        const command = words.join(' ').toUpperCase();
        commands.push(command);
        const reply = answer(command, port);
        if (reply !== null) socket.write(encode(reply ?? usual(command)));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return {
    port,
    address: `127.0.0.1:${port}`,
    commands,
    open: () => sockets.size,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Returns the first command and how long it is; undefined while it is not whole. */
function parse(text: string): readonly [readonly string[] | undefined, number] {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return [undefined, 0];
  const words: string[] = [];
  let at = head[0].length;
  for (let left = Number(head[1]); left > 0; left -= 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (size === null) return [undefined, 0];
    const start = at + size[0].length;
    at = start + Number(size[1]) + 2;
    if (text.length < at) return [undefined, 0];
    words.push(text.slice(start, at - 2));
  }
  return [words, at];
}

function encode(reply: FakeReply): string {
  if (reply instanceof Error) return `-${reply.message}\r\n`;
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`;
  return `*${reply.length}\r\n${reply.map(encode).join('')}`;
}

function usual(command: string): FakeReply {
  if (command.startsWith('INFO')) return 'redis_version:7.0.0\r\nrole:master\r\nloading:0\r\n';
  if (command === 'TIME') return [String(Math.floor(Date.now() / 1000)), '0'];
  return 'OK';
}
