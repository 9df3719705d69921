import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { ReplyDeadlines, Wait } from '../../../src/connection/reply-deadlines.js';
import { waitFor } from '../../support/wait-for.js';

/** Longer than any test takes. */
const LONG_MS = 60_000;

class NamedWait extends Wait {
  readonly #name: string;
  readonly #expired: string[];

  constructor(name: string, expired: string[]) {
    super();
    this.#name = name;
    this.#expired = expired;
  }

  override expire(): void {
    this.#expired.push(this.#name);
  }
}

/** Stalls this process, as a long garbage collection would. */
function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('deadlines: several waits -> each expires once, in the order in which they began, and not before its time', async (t) => {
  const deadlines = new ReplyDeadlines(40);
  const expired: string[] = [];
  const begun = performance.now();
  for (const name of ['a', 'b', 'c']) deadlines.begin(new NamedWait(name, expired));
  await waitFor('the first', () => expired.length > 0, { everyMs: 1 });
  t.true(performance.now() - begun >= 39);
  await waitFor('all', () => expired.length === 3);
  deadlines.begin(new NamedWait('d', expired));
  await waitFor('the last', () => expired.length === 4);
  t.deepEqual(expired, ['a', 'b', 'c', 'd']);
});

test('deadlines: a wait that began later -> has its whole time', async (t) => {
  const deadlines = new ReplyDeadlines(80);
  const expired: string[] = [];
  deadlines.begin(new NamedWait('a', expired));
  await new Promise((resolve) => setTimeout(resolve, 40));
  const begun = performance.now();
  deadlines.begin(new NamedWait('b', expired));
  await waitFor('b', () => expired.includes('b'), { everyMs: 1 });
  t.true(performance.now() - begun >= 79);
});

test('deadlines: waits that end, wherever they stand -> do not expire; the others do', async (t) => {
  for (const ending of ['abc', 'ace', 'cde', 'bd', 'a', 'e', 'abcde', '']) {
    const deadlines = new ReplyDeadlines(20);
    const expired: string[] = [];
    const waits = new Map([...'abcde'].map((name) => [name, new NamedWait(name, expired)]));
    for (const wait of waits.values()) deadlines.begin(wait);
    for (const name of ending) {
      const wait = waits.get(name);
      if (wait !== undefined) {
        deadlines.end(wait);
        deadlines.end(wait);
      }
    }
    const last = new NamedWait('last', expired);
    deadlines.begin(last);
    await waitFor('the last', () => expired.includes('last'));
    t.deepEqual(expired, [...[...'abcde'].filter((name) => !ending.includes(name)), 'last']);
  }
});

test('deadlines: a wait that ends while another one expires -> does not expire', async (t) => {
  const deadlines = new ReplyDeadlines(20);
  const expired: string[] = [];
  const second = new NamedWait('second', expired);
  const first = new (class extends Wait {
    override expire(): void {
      expired.push('first');
      deadlines.end(second);
    }
  })();
  deadlines.begin(first);
  deadlines.begin(second);
  deadlines.begin(new NamedWait('third', expired));
  await waitFor('the third', () => expired.includes('third'));
  t.deepEqual(expired, ['first', 'third']);
});

test('deadlines: a wait that begins while another one expires -> expires in its own time', async (t) => {
  const deadlines = new ReplyDeadlines(20);
  const expired: string[] = [];
  const first = new (class extends Wait {
    override expire(): void {
      deadlines.begin(new NamedWait('next', expired));
    }
  })();
  deadlines.begin(first);
  await waitFor('the next', () => expired.length === 1);
  t.deepEqual(expired, ['next']);
});

test('deadlines: a shorter wait -> expires before the others, once; ended, it does not', async (t) => {
  const deadlines = new ReplyDeadlines(2000);
  const expired: string[] = [];
  const usual = new NamedWait('usual', expired);
  const ended = new NamedWait('ended', expired);
  deadlines.begin(usual);
  deadlines.begin(ended, 20);
  deadlines.begin(new NamedWait('short', expired), 30);
  deadlines.end(ended);
  deadlines.end(ended);
  await waitFor('the short one', () => expired.length > 0);
  deadlines.end(usual);
  t.deepEqual(expired, ['short']);
});

test('deadlines: a limit that is longer than the usual one -> the usual one', async (t) => {
  const deadlines = new ReplyDeadlines(20);
  const expired: string[] = [];
  deadlines.begin(new NamedWait('a', expired), LONG_MS);
  await waitFor('the wait', () => expired.length === 1);
  t.deepEqual(expired, ['a']);
});

for (const [what, limitMs] of [
  ['a usual wait', undefined],
  ['a shorter wait', 25],
] as const) {
  test.serial(
    `deadlines: ${what}, whose reply lies in the socket when a stalled process goes on -> in time`,
    async (t) => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
      const socket = connect(port, '127.0.0.1');
      const peer = await accepted;
      t.teardown(() => {
        socket.destroy();
        peer.destroy();
        server.close();
      });
      const deadlines = new ReplyDeadlines(50);
      const expired: string[] = [];
      const wait = new NamedWait('wait', expired);
      const answered = new Promise<void>((resolve) => {
        socket.once('data', () => {
          deadlines.end(wait);
          resolve();
        });
      });
      deadlines.begin(wait, limitMs);
      peer.write('reply');
      stall(150);
      await answered;
      await new Promise((resolve) => setTimeout(resolve, 60));
      t.deepEqual(expired, []);
    },
  );
}

test.serial('deadlines: waits that have ended or expired -> nothing of them is kept', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('no garbage collector to call');
  const deadlines = new ReplyDeadlines(20);
  const expired: string[] = [];
  const kept = new NamedWait('kept', expired);
  const begin = (limitMs?: number): WeakRef<Wait>[] =>
    Array.from({ length: 100 }, (_, n) => {
      const wait = new NamedWait('gone', expired);
      deadlines.begin(wait, limitMs);
      if (n % 2 === 0) deadlines.end(wait);
      return new WeakRef(wait);
    });
  const references = [...begin(), ...begin(5)];
  await waitFor('the others', () => expired.length === 100);
  deadlines.begin(kept);
  await waitFor('all of them to be collected', () => {
    collect();
    return references.every((reference) => reference.deref() === undefined);
  });
  deadlines.end(kept);

  // A wait that ended must not lie in its own timer until that goes off.
  const patient = new ReplyDeadlines(LONG_MS);
  const ended = Array.from({ length: 100 }, () => {
    const wait = new NamedWait('gone', expired);
    patient.begin(wait, LONG_MS / 2);
    patient.end(wait);
    return new WeakRef(wait);
  });
  await waitFor('those with a timer of their own to be collected', () => {
    collect();
    return ended.every((reference) => reference.deref() === undefined);
  });
  t.pass();
});
