import { EventEmitter } from 'node:events';
import test from 'ava';
import { endWhenSilent } from '../../../src/redis/silence-watch.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

/** Milliseconds between two looks. */
const EVERY_MS = 500;

/** A client of ioredis, as far as it is watched. */
class Client extends EventEmitter {
  readonly commandQueue = { length: 0 };
  readonly ends: string[] = [];
  looks = 0;
  bytesRead = 0;
  readonly stream: { readonly bytesRead: number; destroy(error: Error): void };

  constructor() {
    super();
    const look = (): number => {
      this.looks += 1;
      return this.bytesRead;
    };
    this.stream = {
      get bytesRead() {
        return look();
      },
      destroy: ({ message }) => {
        this.ends.push(message);
        this.emit('close');
      },
    };
  }
}

/** Begins a connection, with so many commands unanswered. */
function connected(unanswered: number): Client {
  const client = new Client();
  endWhenSilent(client, EVERY_MS);
  client.commandQueue.length = unanswered;
  client.emit('connect');
  return client;
}

test('endWhenSilent: a command without an answer -> the connection is ended, once, after five looks', async (t) => {
  useVirtualClock(t);
  const client = connected(1);
  await waitFor('the end', () => client.ends.length > 0);
  t.deepEqual(client.ends, ['Redis said nothing for 2.5 s']);
  const { looks } = client;
  await new Promise((resolve) => setTimeout(resolve, 10 * EVERY_MS));
  t.is(client.looks, looks);
});

test('endWhenSilent: something is heard now and then -> the connection stays', async (t) => {
  useVirtualClock(t);
  const client = connected(1);
  for (let n = 1; n <= 5; n += 1) {
    const { looks } = client;
    // Each look reads the bytes once or twice.
    await waitFor('two looks', () => client.looks >= looks + 3, { everyMs: 1 });
    client.bytesRead += 1;
  }
  t.deepEqual(client.ends, []);
  await waitFor('the end, once nothing more is heard', () => client.ends.length === 1);
});

test('endWhenSilent: everything is answered -> the connection stays', async (t) => {
  useVirtualClock(t);
  const client = connected(0);
  client.bytesRead = 100;
  await waitFor('twenty looks', () => client.looks >= 20);
  t.deepEqual(client.ends, []);
});

test('endWhenSilent: a new connection -> is watched anew; the closed one no longer', async (t) => {
  useVirtualClock(t);
  const client = connected(0);
  client.emit('close');
  client.commandQueue.length = 1;
  const { looks } = client;
  await new Promise((resolve) => setTimeout(resolve, 10 * EVERY_MS));
  t.true(client.looks <= looks + 2);
  client.emit('connect');
  await waitFor('the end', () => client.ends.length === 1);
});
