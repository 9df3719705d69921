import test from 'ava';
import { ReplyError } from 'ioredis';
import type { RedisClient } from '../../../src/redis/client.js';
import { RedisLink } from '../../../src/redis/link.js';
import { waitFor } from '../../support/wait-for.js';

const nothing = async (): Promise<null> => null;

/** A client that is connected, and whose connection ends while it says goodbye. */
function clientThatLosesItsGoodbye(): RedisClient & { disconnected: boolean } {
  return {
    status: 'ready',
    disconnected: false,
    on: () => undefined,
    time: async () => ['1', '0'],
    set: nothing,
    mget: async () => [],
    quit: () => Promise.reject(new Error('Connection is closed.')),
    disconnect() {
      this.disconnected = true;
    },
    admit: nothing,
    settle: nothing,
    refuse: nothing,
    quotaConsume: nothing,
    quotaRefund: nothing,
    lookUp: nothing,
  };
}

test('RedisLink.close: the connection ends before its goodbye is answered -> closed, and no error', async (t) => {
  const client = clientThatLosesItsGoodbye();
  const link = new RedisLink(client, 100);
  await t.notThrowsAsync(link.close());
  t.true(client.disconnected);
});

test('RedisLink: a call timed out, and Redis is heard again with an error -> calls are made again', async (t) => {
  // The wait's timer alone would not keep this process.
  const alive = setTimeout(() => {}, 15_000);
  t.teardown(() => clearTimeout(alive));
  let answer = (): void => {};
  const client = {
    ...clientThatLosesItsGoodbye(),
    // Both the call and the question behind it are answered by what a busy Redis says.
    time: () =>
      new Promise<readonly string[]>((_resolve, reject) => {
        const before = answer;
        answer = () => {
          before();
          reject(new ReplyError('BUSY Redis is busy running a script'));
        };
      }),
  };
  const link = new RedisLink(client, 20);
  await t.throwsAsync(
    link.call(
      () => client.time(),
      () => undefined,
    ),
    { message: 'Redis did not answer in time' },
  );
  t.false(link.usable);
  answer();
  await waitFor('the link to be usable', () => link.usable);
  t.true(link.usable);
});
