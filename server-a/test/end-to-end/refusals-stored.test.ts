/** How many refusals are stored for a client: they cost no quota, and Redis must not be filled with them. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';

const site = new Site({ clients: { small: { daily_quota: 5 }, large: { daily_quota: 20_000 }, new: {} } });
const gateway = await site.startGateway();

test.after.always(() => site.close());

/** Lets a client have this many refusals stored today. */
const haveStored = (client: string, refusals: number): Promise<unknown> =>
  site.redis.set(`refused:${site.apiKey(client)}`, refusals, 'EX', 86_400);

const newRequest = (client: string) => ({
  apiKey: site.apiKey(client),
  idempotencyKey: randomUUID(),
  body: { to: '1', text: 'Hello' },
});

async function notStored(client: string): Promise<number> {
  const page = await scrape(gateway);
  return page.text.includes(`sms_request_refusal_not_stored_total{client="${client}"}`)
    ? page.value('sms_request_refusal_not_stored_total', { client })
    : 0;
}

test('stored refusals: the first of a client -> counted for a day', async (t) => {
  t.is((await gateway.send(newRequest('new'))).status, 400);
  const count = `refused:${site.apiKey('new')}`;
  t.is(await site.redis.get(count), '1');
  const life = await site.redis.ttl(count);
  t.true(life > 86_000 && life <= 86_400);
  t.is(await notStored('new'), 0);
});

test('stored refusals: the client has 10,000 -> further ones are answered, not stored, and counted; the key is as new', async (t) => {
  await haveStored('small', 9_999);
  const last = newRequest('small');
  const stored = await gateway.send(last);
  t.is(stored.status, 400);

  const request = newRequest('small');
  const refused = await gateway.send(request);
  t.is(refused.status, 400);
  t.is(refused.json['error_code'], 'INVALID_PAYLOAD');
  // Nothing holds an id for its key.
  t.is(refused.json['tracking_id'], undefined);
  t.is(await site.redis.exists(site.recordKey('small', request.idempotencyKey)), 0);
  t.is(await notStored('small'), 1);

  const corrected = await gateway.send({ ...request, body: newBody() });
  t.is(corrected.status, 202);
  // What was stored is told as ever.
  const replayed = await gateway.send(last);
  t.is(replayed.headers['idempotent-replayed'], 'true');
  t.deepEqual(replayed.bytes, stored.bytes);
  t.is(await notStored('small'), 1);
});

test('stored refusals: a daily quota over 10,000 -> as many as the quota', async (t) => {
  await haveStored('large', 19_999);
  const [last, request] = [newRequest('large'), newRequest('large')];
  await gateway.send(last);
  t.is((await gateway.send(last)).headers['idempotent-replayed'], 'true');
  await gateway.send(request);
  t.is((await gateway.send(request)).headers['idempotent-replayed'], undefined);
  t.is(await notStored('large'), 2);
});
