import test from 'ava';
import { turnEnds } from '../../../src/connection/turn-end.js';

test('turn end: asked by several in one turn -> one promise; in the next turn -> another', async (t) => {
  const turnEnd = turnEnds();
  const first = turnEnd();
  t.is(turnEnd(), first);
  await first;
  t.not(turnEnd(), first);
});

test('turn end: awaited -> what is done in this turn is done before', async (t) => {
  const order: string[] = [];
  const waiting = turnEnds()().then(() => order.push('the turn is over'));
  process.nextTick(() => order.push('a tick'));
  await Promise.resolve().then(() => order.push('a promise'));
  await waiting;
  t.is(order.at(-1), 'the turn is over');
  t.is(order.length, 3);
});
