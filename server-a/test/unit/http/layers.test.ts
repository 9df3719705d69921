/** How layers run one within the other, and what an outer one learns of those further in. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import type { Next } from 'koa';
import { afterwards, composed } from '../../../src/http/layers.js';

type TestLayer = (ctx: string[], next: Next) => Promise<void>;

test('layers: each goes on -> in their order, and back again', async (t) => {
  const layer =
    (name: string): TestLayer =>
    async (ctx, next) => {
      ctx.push(name);
      await next();
      ctx.push(`${name} again`);
    };
  const seen: string[] = [];
  await composed([layer('one'), layer('two')])(seen);
  t.deepEqual(seen, ['one', 'two', 'two again', 'one again']);
});

test('layers: none -> done', async (t) => {
  await t.notThrowsAsync(composed<string[]>([])([]));
});

for (const [how, refuse] of [
  [
    'throws before anything is waited for',
    (): Promise<void> => {
      throw new Error('refused');
    },
  ],
  ['rejects at once', () => Promise.reject(new Error('refused'))],
  ['rejects later', () => turnOfTheLoop().then(() => Promise.reject(new Error('refused')))],
] as const) {
  test(`layers: one ${how} -> the one outside it is told, once, and may answer in its place`, async (t) => {
    const told: unknown[] = [];
    const outer: TestLayer = (_ctx, next) =>
      afterwards(
        next,
        () => t.fail(),
        (thrown) => void told.push(thrown),
      );
    const between: TestLayer = (_ctx, next) => next();
    await composed([outer, between, refuse])([]);
    t.is(told.length, 1);
    t.is(String(told[0]), 'Error: refused');
  });

  test(`layers: one ${how}, and the one outside it throws on -> so is the one further out`, async (t) => {
    const told: string[] = [];
    const layer =
      (name: string): TestLayer =>
      (_ctx, next) =>
        afterwards(
          next,
          () => t.fail(),
          (thrown) => {
            told.push(name);
            throw thrown;
          },
        );
    const all = composed([layer('outer'), layer('inner'), refuse]);
    await t.throwsAsync(async () => all([]), { message: 'refused' });
    t.deepEqual(told, ['inner', 'outer']);
  });
}

test('layers: what is done afterwards throws -> rejects, and is not told of itself', async (t) => {
  const outer: TestLayer = (_ctx, next) =>
    afterwards(
      next,
      () => {
        throw new Error('done for');
      },
      () => t.fail(),
    );
  await t.throwsAsync(composed([outer])([]), { message: 'done for' });
});

test('layers: a refusal before anything is waited for, and nobody outside -> thrown, and not a rejected promise', (t) => {
  const refuse: TestLayer = () => {
    throw new Error('refused');
  };
  t.throws(() => composed([refuse])([]), { message: 'refused' });
});
