/** Batches and single sends of the same keys, at once, through two gateways, one of which is killed. */
import test, { type ExecutionContext } from 'ava';
import { itemsOf, resultsOf } from '../support/batches.js';
import type { Gateway } from '../support/gateway.js';
import { Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: { raced: {}, killed: {}, few: { daily_quota: 60 } },
  // Short leases, so that a key whose gateway died is soon taken over.
  variables: { REDIS_TIMEOUT_MS: '500', PUBLISH_TIMEOUT_MS: '1000' },
});
const [one, other] = await Promise.all([site.startGateway(), site.startGateway()]);
const outbox = await site.openOutbox();

test.after.always(() => site.close());

type Item = ReturnType<typeof itemsOf>[number];

/** An answer to one key. */
interface Told {
  readonly key: string;
  readonly status: number;
  readonly id: unknown;
}

/** Sends an item alone. */
async function sendAlone(gateway: Gateway, client: string, item: Item): Promise<Told[]> {
  const { idempotency_key: key, ...body } = item;
  const { status, json } = await gateway.send({ apiKey: site.apiKey(client), idempotencyKey: key, body });
  return [{ key, status, id: json['tracking_id'] }];
}

/** Sends items in one batch. */
async function sendTogether(gateway: Gateway, client: string, items: readonly Item[]): Promise<Told[]> {
  const answer = await gateway.sendBatch({ apiKey: site.apiKey(client), body: { messages: items } });
  return resultsOf(answer).map(({ key, status, body }) => ({
    key: String(key),
    status,
    id: body['tracking_id'],
  }));
}

/** Some of the items, in an order of their own. */
function someOf(items: readonly Item[], most: number): readonly Item[] {
  const shuffled = items.map((item) => ({ item, rank: Math.random() })).sort((a, b) => a.rank - b.rank);
  return shuffled.slice(0, 1 + Math.floor(Math.random() * most)).map(({ item }) => item);
}

/** Sends some of the items, alone or together. A gateway that is killed gives no answer. */
async function sendSome(gateway: Gateway, client: string, items: readonly Item[]): Promise<Told[]> {
  const some = someOf(items, 40);
  const [first] = some;
  const sent =
    first !== undefined && Math.random() < 0.5
      ? sendAlone(gateway, client, first)
      : sendTogether(gateway, client, some);
  return await sent.catch(() => []);
}

/** One id for each key: in every answer that names one, and on every message. Returns how many messages there were. */
async function checkIds(t: ExecutionContext, items: readonly Item[], told: readonly Told[]): Promise<number> {
  await outbox.settled();
  const ofKey = new Map<string, Set<unknown>>();
  for (const { key, id } of told) {
    if (id !== undefined) ofKey.set(key, (ofKey.get(key) ?? new Set()).add(id));
  }
  const ofText = new Map<unknown, unknown[]>();
  for (const { envelope } of outbox.received) {
    ofText.set(envelope['text'], [...(ofText.get(envelope['text']) ?? []), envelope['tracking_id']]);
  }
  let messages = 0;
  for (const { idempotency_key: key, text } of items) {
    const sent = ofText.get(text) ?? [];
    messages += sent.length;
    t.deepEqual([...new Set(sent)], [...(ofKey.get(key) ?? [])], key);
  }
  return messages;
}

test.serial(
  'race: the same keys in batches and alone, through two gateways -> one id, one message, one unit, one answer each',
  async (t) => {
    const items = itemsOf(150);
    const told: Told[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, sender) => {
        for (let n = 0; n < 12; n += 1) {
          told.push(...(await sendSome((sender + n) % 2 === 0 ? one : other, 'raced', items)));
        }
      }),
    );
    told.push(...(await sendTogether(one, 'raced', items.slice(0, 100))));
    told.push(...(await sendTogether(other, 'raced', items.slice(100))));
    t.deepEqual([...new Set(told.map(({ status }) => status))], [202]);
    t.is(await checkIds(t, items, told), items.length);
    t.is(await site.used('raced'), items.length);
  },
);

test.serial(
  'race: more keys than units, in batches and alone, through two gateways -> as many accepted as there are units',
  async (t) => {
    const items = itemsOf(100);
    const told: Told[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, sender) => {
        for (let n = 0; n < 8; n += 1) {
          told.push(...(await sendSome((sender + n) % 2 === 0 ? one : other, 'few', items)));
        }
      }),
    );
    told.push(...(await sendTogether(one, 'few', items)));
    const accepted = new Set(told.filter(({ status }) => status === 202).map(({ key }) => key));
    t.is(accepted.size, 60);
    t.deepEqual([...new Set(told.map(({ status }) => status))].sort(), [202, 429]);
    t.is(await site.used('few'), 60);
    const sent = items.filter(({ idempotency_key: key }) => accepted.has(key));
    t.is(
      await checkIds(
        t,
        sent,
        told.filter(({ status }) => status === 202),
      ),
      60,
    );
  },
);

test.serial(
  'kill -9: gateways die in the middle of batches, and the keys are sent again, alone and in other batches -> none missing, no second id, no drift',
  async (t) => {
    t.timeout(180_000);
    const items = itemsOf(300);
    const told: Told[] = [];
    for (let deaths = 0; deaths < 3; deaths += 1) {
      const doomed = await site.startGateway();
      const part = items.slice(100 * deaths, 100 * deaths + 100);
      const answered = told.length;
      let alive = true;
      const senders = Promise.all(
        Array.from({ length: 10 }, async (_, sender) => {
          while (alive) {
            told.push(...(await sendSome(sender % 3 === 0 ? other : doomed, 'killed', part)));
          }
        }),
      );
      await waitFor('some answers', () => told.length > answered + 20);
      await doomed.kill();
      alive = false;
      await senders;
    }
    const left = new Set(items);
    await waitFor(
      'all accepted',
      async () => {
        const some = [...left].slice(0, 60);
        for (const { key, status, id } of await sendTogether(one, 'killed', some)) {
          told.push({ key, status, id });
          const item = items.find(({ idempotency_key }) => idempotency_key === key);
          if (status === 202 && item !== undefined) left.delete(item);
        }
        return left.size === 0;
      },
      { withinMs: 90_000 },
    );
    t.true((await checkIds(t, items, told)) >= items.length);
    t.is(await site.used('killed'), items.length);
  },
);
