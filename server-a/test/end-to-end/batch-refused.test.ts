/** Requests to send-batch that are no batch: refused as a whole, and nothing is done. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { itemsOf } from '../support/batches.js';
import { asList, asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';

const site = new Site();
const gateway = await site.startGateway();

test.after.always(() => site.close());

const WHOLE: readonly (readonly [string, unknown, string])[] = [
  ['an empty list', { messages: [] }, 'messages'],
  ['101 messages', { messages: itemsOf(101) }, 'messages'],
  ['no list', { messages: { 0: itemsOf(1)[0] } }, 'messages'],
  ['nothing', {}, 'messages'],
  ['a list by itself', itemsOf(2), 'body'],
  ['null', 'null', 'body'],
  ['no JSON', '{"messages":[', 'body'],
  [
    '200,000 lists in one another',
    `{"messages":[{"idempotency_key":"a-deep-key","text":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}`,
    'body',
  ],
  ['an unknown field', { messages: itemsOf(1), colour: 'red' }, 'colour'],
  ['a message that is no object', { messages: [...itemsOf(1), 'text'] }, 'messages[1]'],
  ['a message without a key', { messages: [...itemsOf(1), newBody()] }, 'messages[1].idempotency_key'],
  [
    'a key that is a number',
    { messages: [{ ...newBody(), idempotency_key: 7 }] },
    'messages[0].idempotency_key',
  ],
  ['a key twice', { messages: twice('a-key', 'a-key') }, 'messages[2].idempotency_key'],
  ['a key twice, once in quotes', { messages: twice('a-key', '"a-key"') }, 'messages[2].idempotency_key'],
];

function twice(one: string, other: string): readonly object[] {
  return [{ ...newBody(), idempotency_key: one }, ...itemsOf(1), { ...newBody(), idempotency_key: other }];
}

for (const [what, body, field] of WHOLE) {
  test(`batch: ${what} -> 400 for the whole, and nothing is done`, async (t) => {
    const answer = await gateway.sendBatch({ apiKey: site.apiKey('main'), body });
    t.is(answer.status, 400);
    t.is(answer.json['error_code'], 'INVALID_PAYLOAD');
    const { errors } = asObject(answer.json['details']);
    t.deepEqual(
      asList(errors).map((error) => asObject(error)['field']),
      [field],
    );
    await checkNothingDone(t, body);
  });
}

async function checkNothingDone(t: ExecutionContext, body: unknown): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const keys = [...text.matchAll(/"idempotency_key":"([^"]+)"/g)].map(([, key = '']) => key);
  if (keys.length > 0) {
    t.is(await site.redis.exists(keys.map((key) => site.recordKey('main', key))), 0);
  }
}

test('batch: with an Idempotency-Key header -> 400 for the whole', async (t) => {
  const items = itemsOf(2);
  const answer = await gateway.sendBatch({
    apiKey: site.apiKey('main'),
    idempotencyKey: randomUUID(),
    body: { messages: items },
  });
  t.is(answer.status, 400);
  await checkNothingDone(t, { messages: items });
});

test('batch: an unknown API key -> 401, before anything else', async (t) => {
  const answer = await gateway.sendBatch({ apiKey: 'nobody', idempotencyKey: 'a', body: 'x' });
  t.is(answer.status, 401);
});

test('batch: 512 KiB -> taken; a byte more -> 413; the single endpoint keeps its 32 KiB', async (t) => {
  const body = JSON.stringify({ messages: itemsOf(1) });
  const padded = (bytes: number): string => body + ' '.repeat(bytes - body.length);
  const ask = (bytes: number) => gateway.sendBatch({ apiKey: site.apiKey('main'), body: padded(bytes) });
  t.is((await ask(512 * 1024)).status, 207);
  t.is((await ask(512 * 1024 + 1)).status, 413);
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: padded(33 * 1024) })).status, 413);
});

test('batch: another method, or a path like it -> 405, 404', async (t) => {
  const { status, headers } = await gateway.ask('/api/v1/sms/send-batch', 'GET');
  t.is(status, 405);
  t.is(headers['allow'], 'POST');
  t.is((await gateway.ask('/api/v1/sms/send-batch/', 'POST')).status, 404);
});
