import test from 'ava';
import RedisMock from 'ioredis-mock';
import { RedisLink } from '../../../src/redis/link.js';
import { notRunError } from '../../../src/redis/not-run.js';
import { NotRun, type Route, untilRun } from '../../../src/redis/routes.js';
import { RedisUnavailable } from '../../../src/redis/unavailable.js';
import { useVirtualClock } from '../../support/virtual-clock.js';

const ELSEWHERE: Route = { link: new RedisLink(new RedisMock(), 500), asking: true };

/** What is thrown for a reply, and what was learned from it. */
function thrownFor(message: string) {
  const learned: unknown[] = [];
  const error = notRunError(new Error(message), {
    moved: (slot, address) => learned.push(['moved', slot, address]),
    ask: (address) => {
      learned.push(['ask', address]);
      return ELSEWHERE;
    },
    notServed: () => learned.push('not served'),
  });
  return { error, learned };
}

test('notRunError: MOVED -> sent anew where the slot is now', (t) => {
  const { error, learned } = thrownFor('MOVED 4866 10.0.0.1:6379');
  t.true(error instanceof NotRun);
  t.deepEqual(learned, [['moved', 4866, '10.0.0.1:6379']]);
});

test('notRunError: ASK -> sent anew to the node that is named, for this once', (t) => {
  const { error, learned } = thrownFor('ASK 4866 10.0.0.1:6379');
  t.true(error instanceof NotRun && error.route === ELSEWHERE);
  t.deepEqual(learned, [['ask', '10.0.0.1:6379']]);
});

for (const reply of [
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'READONLY You can not write',
  // A script's on Redis 5 and 6.
  "ERR Error running script (call to f_0123): @user_script:9: @user_script: 9: -READONLY You can't write against a read only replica.",
]) {
  test(`notRunError: ${reply.slice(0, 23)} -> sent anew`, (t) => {
    t.true(thrownFor(reply).error instanceof NotRun);
  });
}

for (const reply of [
  'CLUSTERDOWN Hash slot not served',
  'MASTERDOWN Link is down',
  'LOADING Redis is loading',
]) {
  test(`notRunError: ${reply.split(' ')[0]} -> certainly not run, and not sent anew`, (t) => {
    const { error } = thrownFor(reply);
    t.true(error instanceof RedisUnavailable && !error.maybeRan);
    t.false(error instanceof NotRun);
  });
}

test('notRunError: any other reply -> as it is', (t) => {
  const { error, learned } = thrownFor('ERR something else');
  t.is(error.message, 'ERR something else');
  t.false(error instanceof RedisUnavailable);
  t.deepEqual(learned, []);
});

test('untilRun: not run twice -> done anew, the first time at once, on the way that was named', async (t) => {
  useVirtualClock(t);
  const ways: (Route | undefined)[] = [];
  const startedAt = performance.now();
  const result = await untilRun(startedAt + 1000, async (route) => {
    ways.push(route);
    if (ways.length === 1) throw new NotRun('ASK', ELSEWHERE);
    if (ways.length === 2) throw new NotRun('MOVED');
    return 'done';
  });
  t.is(result, 'done');
  t.deepEqual(ways, [undefined, ELSEWHERE, undefined]);
  t.true(performance.now() - startedAt < 500);
});

test('untilRun: never run -> ends at the deadline, with what Redis said last', async (t) => {
  useVirtualClock(t);
  const startedAt = performance.now();
  let tries = 0;
  const work = untilRun(startedAt + 300, async () => {
    tries += 1;
    throw new NotRun('TRYAGAIN');
  });
  await t.throwsAsync(work, { message: 'TRYAGAIN' });
  const tookMs = performance.now() - startedAt;
  t.true(tookMs > 150 && tookMs < 1000, `${tookMs} ms`);
  t.true(tries > 3 && tries < 20, `${tries} tries`);
});

test('untilRun: may have run -> not done anew', async (t) => {
  useVirtualClock(t);
  let tries = 0;
  const work = untilRun(performance.now() + 300, async () => {
    tries += 1;
    throw new RedisUnavailable('the connection to Redis ended', true);
  });
  await t.throwsAsync(work, { instanceOf: RedisUnavailable });
  t.is(tries, 1);
});
