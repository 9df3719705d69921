/** A client with several API keys: one quota, one namespace of idempotency keys; and a key that ends. */
import { randomBytes, randomUUID } from 'node:crypto';
import test from 'ava';
import { hashApiKey } from '../../src/config/api-key.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const newKey = () => randomBytes(18).toString('hex');
const [OLD, NEW, EXPIRED, ENDING] = [newKey(), newKey(), newKey(), newKey()];
const ID = `client-${randomBytes(5).toString('hex')}`;
const fields = (name: string) => ({ name, is_active: true, daily_quota: 3 });
const endsAt = new Date(Date.now() + 8000);

const site = new Site({
  variables: {
    CLIENT_CONFIG: JSON.stringify({
      [OLD]: { ...fields('Two keys'), id: ID, not_after: '2999-12-31T23:59:59Z' },
      [`sha256:${hashApiKey(NEW)}`]: { ...fields('Two keys'), id: ID },
      [EXPIRED]: { ...fields('Expired'), not_after: '2020-01-01T00:00:00Z' },
      [ENDING]: { ...fields('Ending'), not_after: endsAt.toISOString() },
    }),
  },
});
const gateway = await site.startGateway();
const outbox = await site.openOutbox();

test.after.always(async () => {
  const output = gateway.process.stdout + gateway.process.stderr;
  for (const key of [OLD, NEW, EXPIRED, ENDING]) {
    if (output.includes(key)) throw new Error('an API key was logged');
  }
  for (const own of [ID, OLD, NEW, EXPIRED, ENDING]) {
    const left = await site.redis.keys(`*${own}*`);
    if (left.length > 0) await site.redis.del(left);
  }
  await site.close();
});

test('client keys: two of one client -> one quota, replays across them, the id as client_key, each masked in the log', async (t) => {
  const idempotencyKey = randomUUID();
  const body = newBody();
  const first = await gateway.send({ apiKey: OLD, idempotencyKey, body });
  t.is(first.status, 202);
  const again = await gateway.send({ apiKey: NEW, idempotencyKey, body });
  t.is(again.text, first.text);
  t.is(again.headers['idempotent-replayed'], 'true');
  const { envelope } = await outbox.theOneWithText(body.text);
  t.is(envelope['client_key'], ID);

  for (const apiKey of [NEW, OLD]) t.is((await gateway.send({ apiKey, body: newBody() })).status, 202);
  for (const apiKey of [NEW, OLD]) t.is((await gateway.send({ apiKey, body: newBody() })).status, 429);
  t.deepEqual(await site.redis.keys(`${site.quotaPrefix}:*${OLD}*`), []);
  for (const mask of [`${OLD.slice(0, 6)}***`, `sha256:${hashApiKey(NEW).slice(0, 6)}***`]) {
    const line = await gateway.line('request', ({ client_api_key }) => client_api_key === mask);
    t.is(line['client'], 'Two keys');
  }
});

test('client keys: one that has expired -> 401, nothing in Redis, a line with its client, a warning at the start', async (t) => {
  const answer = await gateway.send({ apiKey: EXPIRED, idempotencyKey: randomUUID(), body: newBody() });
  t.is(answer.status, 401);
  t.deepEqual(await site.redis.keys(`*${EXPIRED}*`), []);
  const line = await gateway.line('request', ({ client }) => client === 'Expired');
  t.is(line['outcome'], 'unauthorized');
  const { warnings } = await gateway.line('config.warnings');
  t.true(JSON.stringify(warnings).includes('have expired, of \\"Expired\\"'));
});

test('client keys: one that ends while the gateway runs -> 202 before, 401 after, without a reload', async (t) => {
  t.is((await gateway.send({ apiKey: ENDING, body: newBody() })).status, 202);
  await waitFor(
    'a key that has ended',
    async () => (await gateway.send({ apiKey: ENDING, body: { to: 'none' } })).status === 401,
    { withinMs: 60_000, everyMs: 200 },
  );
  t.true(Date.now() > endsAt.getTime());
});
