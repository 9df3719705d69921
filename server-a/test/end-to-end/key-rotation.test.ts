/** An API key is rotated while its client sends: by a changed file, and by SIGHUP. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { hashApiKey, newApiKey } from '../../src/config/api-key.js';
import { maskApiKey } from '../../src/logging/log.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const SENDERS = 8;
const fields = { name: 'Rotating', is_active: true, daily_quota: 1_000_000 };
const OF_SEVERAL = 'sms_api_key_of_several';
const LAST_USED = 'sms_api_key_last_used_timestamp_seconds';

for (const trigger of ['file', 'signal'] as const) {
  test(`rotation under load, by ${trigger} -> no request refused, nothing sent twice, one quota, the old key's end is seen`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-test-rotation-'));
    const [file, old, made] = [join(folder, 'clients.json'), randomBytes(18).toString('hex'), newApiKey()];
    const configure = async (entries: Readonly<Record<string, object>>): Promise<void> => {
      // As a mounted folder is changed: the new file takes the old one's place.
      await writeFile(`${file}.new`, JSON.stringify(entries));
      await rename(`${file}.new`, file);
    };
    await configure({ [old]: fields });
    const site = new Site();
    t.teardown(async () => {
      const left = await site.redis.keys(`*${old}*`);
      if (left.length > 0) await site.redis.del(left);
      await site.close();
      await rm(folder, { recursive: true });
    });
    const gateway = await site.startGateway({ CLIENT_CONFIG: '', CLIENT_CONFIG_FILE: file });
    const outbox = await site.openOutbox();
    const reloads = (): number => gateway.log.filter(({ message }) => message === 'config.reloaded').length;
    const reload = async (entries: Readonly<Record<string, object>>, count: number): Promise<void> => {
      await configure(entries);
      if (trigger === 'signal') gateway.process.signal('SIGHUP');
      await waitFor('a reload', () => reloads() >= count);
    };

    let apiKey = old;
    let sending = true;
    const ids = new Map<string, unknown>();
    const faults: string[] = [];
    const sender = async (): Promise<void> => {
      while (sending) {
        const request = { idempotencyKey: randomUUID(), body: newBody() };
        const first = await gateway.send({ ...request, apiKey });
        // The same message again, with whichever key the client has by now.
        const again = await gateway.send({ ...request, apiKey });
        if (first.status !== 202 || again.text !== first.text) {
          faults.push(`${first.status} ${first.text}, then ${again.status} ${again.text}`);
        }
        ids.set(request.body.text, first.json['tracking_id']);
      }
    };
    const load = Promise.all(Array.from({ length: SENDERS }, sender));
    const sentMore = (count: number) => {
      const before = ids.size;
      return waitFor(`${count} messages more`, () => ids.size >= before + count);
    };

    await sentMore(50);
    const acrossKeys = { idempotencyKey: randomUUID(), body: newBody() };
    const before = await gateway.send({ ...acrossKeys, apiKey: old });
    // The client had no id: its old key is its id from now on.
    const added = { ...fields, id: old };
    await reload({ [old]: fields, [`sha256:${hashApiKey(made)}`]: added }, 1);
    await sentMore(50);
    apiKey = made;
    await sentMore(100);
    const after = await gateway.send({ ...acrossKeys, apiKey: made });
    t.is(after.text, before.text);
    t.is(after.headers['idempotent-replayed'], 'true');

    const labels = { client: 'Rotating', api_key: maskApiKey(old) };
    const masked = { client: 'Rotating', api_key: `sha256:${hashApiKey(made).slice(0, 6)}***` };
    const page = await scrape(gateway);
    const lastUsed = page.value(LAST_USED, labels);
    for (const ofOne of [labels, masked]) t.is(page.value(OF_SEVERAL, ofOne), 1);
    t.true(lastUsed > Date.now() / 1000 - 60);
    await waitFor('a second that only the new key has seen', async () => {
      const page = await scrape(gateway);
      return page.value(LAST_USED, labels) === lastUsed && page.value(LAST_USED, masked) > lastUsed + 1;
    });
    await reload({ [`sha256:${hashApiKey(made)}`]: added }, 2);
    await sentMore(50);
    sending = false;
    await load;

    t.deepEqual(faults, []);
    t.is((await gateway.send({ apiKey: old, body: newBody() })).status, 401);
    const { text } = await gateway.ask('/metrics');
    t.false(text.includes(`api_key="${maskApiKey(old)}"`));
    // What is left is an only key.
    t.false(text.includes(`\n${OF_SEVERAL}{`));
    // One message for each key, and one unit: retries and the change of keys cost nothing.
    const messages = ids.size + 1;
    await waitFor('every message', () => outbox.received.length >= messages);
    t.is(outbox.received.length, messages);
    const counters = await site.redis.keys(`${site.quotaPrefix}:*`);
    const units = await Promise.all(counters.map((counter) => site.redis.get(counter)));
    t.is(
      units.reduce((sum, value) => sum + Number(value), 0),
      messages,
    );
    t.true(counters.every((counter) => counter.includes(old)));
  });
}
