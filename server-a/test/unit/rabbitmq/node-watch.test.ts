import test from 'ava';
import { NodeWatch } from '../../../src/rabbitmq/node-watch.js';
import { useVirtualClock } from '../../support/virtual-clock.js';
import { waitFor } from '../../support/wait-for.js';

const never = (): Promise<never> => new Promise(() => {});

function watched({ ask = async (): Promise<unknown> => undefined, blocked = false } = {}) {
  const reasons: string[] = [];
  let asked = 0;
  const watch = new NodeWatch({
    ask: () => {
      asked += 1;
      return ask();
    },
    blocked: () => blocked,
    leave: (reason) => reasons.push(reason),
  });
  return { watch, reasons, asked: () => asked };
}

test('node watch: a confirm is late, and the node does not answer -> it is left, once, after a second', async (t) => {
  useVirtualClock(t);
  const { watch, reasons, asked } = watched({ ask: never });
  const startedAt = performance.now();
  watch.timedOut(startedAt);
  watch.timedOut(startedAt);
  await waitFor('a decision', () => reasons.length > 0);
  t.true(performance.now() - startedAt < 2000);
  watch.timedOut(startedAt);
  t.deepEqual(reasons, ['no answer']);
  t.is(asked(), 1);
});

test('node watch: a readiness check has no answer, and the node does not answer either -> it is left without any message', async (t) => {
  useVirtualClock(t);
  const { watch, reasons, asked } = watched({ ask: never });
  watch.unanswered();
  watch.unanswered();
  await waitFor('a decision', () => reasons.length > 0);
  watch.unanswered();
  t.deepEqual(reasons, ['no answer']);
  t.is(asked(), 1);
});

test('node watch: a readiness check has no answer, but the node answers -> it stays', async (t) => {
  useVirtualClock(t);
  const { watch, reasons, asked } = watched();
  watch.unanswered();
  await waitFor('a question', () => asked() === 1);
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(reasons, []);
});

test('node watch: a confirm is late, and the node answers -> it stays', async (t) => {
  useVirtualClock(t);
  const { watch, reasons, asked } = watched();
  watch.timedOut(performance.now());
  await waitFor('a question', () => asked() === 1);
  t.deepEqual(reasons, []);
});

test('node watch: a confirm is late and later ones have come -> nothing is asked', (t) => {
  const { watch, asked } = watched({ ask: never });
  const sentAt = performance.now();
  watch.confirmed(sentAt + 1);
  watch.timedOut(sentAt);
  t.is(asked(), 0);
});

test('node watch: the node answers, and confirms nothing for 10 s -> it is left', (t) => {
  const { watch, reasons } = watched();
  const now = performance.now();
  watch.confirmed(now - 20_000);
  watch.timedOut(now - 10_001);
  t.deepEqual(reasons, ['no confirms']);
});

test('node watch: a confirm comes in between -> the 10 s begin anew', async (t) => {
  useVirtualClock(t);
  const { watch, reasons, asked } = watched();
  const now = performance.now();
  watch.confirmed(now - 20_000);
  watch.timedOut(now - 9000);
  watch.confirmed(now - 100);
  await waitFor('the answer', () => asked() === 1);
  watch.timedOut(now - 50);
  t.deepEqual(reasons, []);
});

test('node watch: the node does not answer because it takes no messages, and has said so -> it is not left', async (t) => {
  useVirtualClock(t);
  const { watch, reasons } = watched({ ask: () => Promise.reject(new Error('closed')), blocked: true });
  watch.timedOut(performance.now());
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(reasons, []);
});
