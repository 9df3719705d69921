/** Bodies that cannot be read (too long, of another media type): their key is asked, without a digest, and nothing is stored. */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { openRecord } from '../support/records.js';
import { newBody, Site } from '../support/site.js';

const UNREADABLE = {
  413: { body: { ...newBody(), more: 'x'.repeat(40_000) } },
  415: { body: 'not JSON', headers: { 'Content-Type': 'text/plain' } },
};

const site = new Site();
// A body without a digest contradicts none, also where another body is refused.
const gateway = await site.startGateway({ IDEMPOTENCY_MISMATCH: 'reject' });
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

for (const [status, unreadable] of Object.entries(UNREADABLE)) {
  test(`unreadable: ${status}, a new key -> told so, nothing is stored, and the key can be used`, async (t) => {
    const idempotencyKey = randomUUID();
    const refused = await gateway.send({ apiKey, idempotencyKey, ...unreadable });
    t.is(refused.status, Number(status));
    t.is(refused.json['tracking_id'], undefined);
    t.is(await site.redis.exists(site.recordKey('main', idempotencyKey)), 0);
    t.is((await gateway.send({ apiKey, idempotencyKey, body: newBody() })).status, 202);
  });

  test(`unreadable: ${status}, the key is answered -> that answer, byte for byte`, async (t) => {
    const idempotencyKey = randomUUID();
    const first = await gateway.send({ apiKey, idempotencyKey, body: newBody() });
    const again = await gateway.send({ apiKey, idempotencyKey, ...unreadable });
    t.is(again.status, 202);
    t.deepEqual(again.bytes, first.bytes);
    t.is(again.headers['idempotent-replayed'], 'true');
    t.is(again.headers['idempotency-mismatch'], undefined);
  });

  test(`unreadable: ${status}, the key is open -> 500 unknown with its tracking id, and the record is untouched`, async (t) => {
    const [idempotencyKey, id] = [randomUUID(), randomUUID()];
    const recordKey = site.recordKey('main', idempotencyKey);
    const record = openRecord(id, newBody(), Date.now() - 1);
    await site.redis.set(recordKey, record, 'EX', 600);
    const answer = await gateway.send({ apiKey, idempotencyKey, ...unreadable });
    t.is(answer.status, 500);
    t.deepEqual(answer.json['details'], { accepted: 'unknown', retry: 'same_key' });
    t.is(answer.json['tracking_id'], id);
    t.is(answer.headers['idempotency-mismatch'], undefined);
    t.is(await site.redis.get(recordKey), record);
  });
}
