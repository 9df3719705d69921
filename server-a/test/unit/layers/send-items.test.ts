/** The items of a batch: each goes its own way, whatever becomes of another. */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import test from 'ava';
import { sendItems } from '../../../src/layers/send-items.js';
import { answerJson } from '../../../src/request/answers.js';
import { API_KEYS, contextOf, REGISTRY, thrownBy } from '../../support/context.js';
import { parseObject } from '../../support/json.js';

const client = [...REGISTRY.apiKeysByHash.values()].find(({ client: { isActive } }) => isActive)?.client;
const items = ['key-1', ' ', 'key-2'].map((key) => ({ key, body: {} }));
const batch = () => contextOf({ headers: { 'api-key': API_KEYS.active }, state: { client, items } });

/** Sends each item in a later turn. @param observe is told of each item that has ended */
function layerWith(sent: string[], observe: () => string) {
  return sendItems({
    letThroughOnce: async (ctx, next, key) => {
      await turnOfTheLoop();
      await next();
      sent.push(key);
      answerJson(ctx, 202, '{}');
    },
    itemLayers: [(_ctx, next) => next()],
    observeItem: observe,
    sizes: { observe: () => {} },
  });
}

test('items: one has a key that is none -> refused alone, and those before and behind it are sent', async (t) => {
  const sent: string[] = [];
  const ctx = batch();
  t.is(
    await thrownBy(
      ctx,
      layerWith(sent, () => 'observed'),
    ),
    undefined,
  );
  t.deepEqual(sent, ['key-1', 'key-2']);
  const { results } = parseObject(String(ctx.state.json));
  t.like(results, [{ status: 202 }, { status: 400 }, { status: 202 }]);
});

test.serial(
  'items: what observes them throws -> all are sent nevertheless, and no rejection is left to nobody',
  async (t) => {
    const left: unknown[] = [];
    const leave = (reason: unknown): void => void left.push(reason);
    process.on('unhandledRejection', leave);
    t.teardown(() => process.off('unhandledRejection', leave));
    const sent: string[] = [];
    const observe = (): string => {
      throw new Error('the log is full');
    };
    t.is(String(await thrownBy(batch(), layerWith(sent, observe))), 'Error: the log is full');
    for (let turn = 0; turn < 20; turn += 1) await turnOfTheLoop();
    t.deepEqual(sent, ['key-1', 'key-2']);
    t.deepEqual(left, []);
  },
);
