/** The proxy that stands between gateways and services in the tests: each way of breaking a network does what it says. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';

/** A client, by way of a proxy, of a server that sends back what it gets. */
class Line {
  received = '';
  closed = false;
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString();
    });
    this.#socket.on('close', () => {
      this.closed = true;
    });
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  async echoes(text: string): Promise<void> {
    this.send(text);
    await waitFor(`an echo of ${text}`, () => this.received.endsWith(text));
  }

  end(): void {
    this.#socket.destroy();
  }
}

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    arrived += chunk.toString();
    socket.write(chunk);
  });
});
let arrived = '';
let target = '';
test.before(async () => {
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  target = `tcp://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
});

async function lineOver(proxy: TcpProxy): Promise<Line> {
  const line = new Line(proxy.port);
  await line.echoes('hello');
  return line;
}

/** Long enough for an echo, which takes less than a millisecond, on a slow machine. */
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

test.serial('proxy: nothing broken -> bytes pass both ways, and an end is passed on', async (t) => {
  const proxy = await startTcpProxy(target);
  const line = await lineOver(proxy);
  t.is(proxy.open(), 1);
  line.end();
  await waitFor('no open connection', () => proxy.open() === 0);
  t.is(line.received, 'hello');
  await proxy.close();
});

test.serial(
  'proxy: refused -> open connections end, new ones do not come up; accepted -> they do',
  async (t) => {
    const proxy = await startTcpProxy(target);
    const line = await lineOver(proxy);
    await proxy.refuse();
    await waitFor('an end', () => line.closed);
    const refused = new Line(proxy.port);
    await waitFor('a refusal', () => refused.closed);
    await proxy.accept();
    const after = await lineOver(proxy);
    after.end();
    await proxy.close();
    await waitFor('no open connection', () => proxy.open() === 0);
    t.is(line.received, 'hello');
  },
);

test.serial('proxy: cut -> open connections end, new ones come up', async (t) => {
  const proxy = await startTcpProxy(target);
  const line = await lineOver(proxy);
  proxy.cut();
  await waitFor('an end', () => line.closed);
  const after = await lineOver(proxy);
  t.false(after.closed);
  await proxy.close();
});

test.serial('proxy: stalled -> bytes wait, and arrive when it resumes', async (t) => {
  const proxy = await startTcpProxy(target);
  const line = await lineOver(proxy);
  proxy.stall();
  line.send('later');
  await aMoment();
  t.is(line.received, 'hello');
  proxy.resume();
  await waitFor('the bytes', () => line.received === 'hellolater');
  await proxy.close();
});

test.serial('proxy: answers stalled, then cut -> what was sent arrived, its answer never does', async (t) => {
  const proxy = await startTcpProxy(target);
  const line = await lineOver(proxy);
  proxy.stallAnswers();
  arrived = '';
  line.send('one way');
  await waitFor('the bytes at the server', () => arrived === 'one way');
  proxy.cut();
  await waitFor('an end', () => line.closed);
  t.is(line.received, 'hello');
  await proxy.close();
});

test.serial(
  'proxy: black hole -> bytes vanish, nobody is told; mended -> that connection ends, new ones serve',
  async (t) => {
    const proxy = await startTcpProxy(target);
    const line = await lineOver(proxy);
    proxy.blackHole();
    line.send('lost');
    await aMoment();
    t.is(line.received, 'hello');
    t.false(line.closed);
    await proxy.mend();
    await waitFor('an end', () => line.closed);
    await lineOver(proxy);
    await proxy.close();
  },
);

test.serial(
  'proxy: delayed by 40 ms -> an echo takes 80 ms at least, and bytes keep their order',
  async (t) => {
    const proxy = await startTcpProxy(target);
    const line = await lineOver(proxy);
    proxy.delay(40);
    const startedAt = performance.now();
    line.send('1');
    line.send('2');
    await waitFor('the first echo', () => line.received.length > 5, { everyMs: 1 });
    // Timers may fire up to a millisecond early.
    t.true(performance.now() - startedAt > 77);
    await proxy.mend();
    await line.echoes('3');
    t.is(line.received, 'hello123');
    await proxy.close();
  },
);
