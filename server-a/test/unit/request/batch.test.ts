import test from 'ava';
import { ApiError } from '../../../src/errors.js';
import { MOST_ITEMS, readBatch } from '../../../src/request/batch.js';

const item = (key: unknown, more: object = {}) => ({ idempotency_key: key, to: '+1234567', ...more });

/** Fields that are named, and what would be right. */
function faultsOf(parsed: unknown): unknown {
  try {
    readBatch(parsed);
    return 'none';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.details?.['errors'];
  }
}

test('batch body: items -> their keys as written, and the rest as a body of its own', (t) => {
  t.deepEqual(readBatch({ messages: [item('a', { text: 'x' }), item('b', { odd: 1 })] }), [
    { key: 'a', body: { to: '+1234567', text: 'x' }, index: 0 },
    { key: 'b', body: { to: '+1234567', odd: 1 }, index: 1 },
  ]);
});

test('batch body: a field called __proto__ -> an ordinary field of the item', (t) => {
  const parsed: unknown = JSON.parse('{"messages":[{"idempotency_key":"a","__proto__":{"to":"x"}}]}');
  const [first] = readBatch(parsed);
  t.deepEqual(Object.keys(Object(first?.body)), ['__proto__']);
});

test('batch body: no key can be like this -> taken here; the item itself answers for it', (t) => {
  t.is(readBatch({ messages: [item(''), item('two words')] }).length, 2);
});

test('batch body: as many items as there may be -> taken; one more -> refused', (t) => {
  const messages = Array.from({ length: MOST_ITEMS + 1 }, (_, n) => item(`key-${n}`));
  t.is(readBatch({ messages: messages.slice(1) }).length, MOST_ITEMS);
  t.deepEqual(faultsOf({ messages }), [
    { field: 'messages', message: `must be a list of 1 to ${MOST_ITEMS} messages` },
  ]);
});

test('batch body: several faults -> all of them, by place', (t) => {
  const messages = [item('a'), null, [], item(7), item(undefined), item('a'), item('"a"')];
  t.deepEqual(faultsOf({ messages, colour: 'red' }), [
    { field: 'messages[1]', message: 'must be a JSON object' },
    { field: 'messages[2]', message: 'must be a JSON object' },
    { field: 'messages[3].idempotency_key', message: 'must be a string' },
    { field: 'messages[4].idempotency_key', message: 'is required' },
    { field: 'messages[5].idempotency_key', message: 'is the key of messages[0] too' },
    { field: 'messages[6].idempotency_key', message: 'is the key of messages[0] too' },
    { field: 'colour', message: 'is not a field of this request' },
  ]);
});

for (const parsed of [
  undefined,
  null,
  1,
  'x',
  [],
  { messages: null },
  {},
  { messages: {} },
  { messages: [] },
]) {
  test(`batch body: ${JSON.stringify(parsed)} -> refused`, (t) => {
    t.not(faultsOf(parsed), 'none');
  });
}
