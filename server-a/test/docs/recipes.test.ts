/** The commands of docs/recipes.md about clients and messages. */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import test, { type ExecutionContext } from 'ava';
import { codeBlocks } from '../support/markdown.js';
import { newBody } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';
import {
  closeKitchen,
  cook,
  files,
  folder,
  gateway,
  messagesIn,
  rabbitmq,
  recipes,
  site,
} from './kitchen.js';

test.after.always(closeKitchen);

/** Sends one message. @returns its tracking id */
async function accepted(
  t: ExecutionContext,
  body: object = {},
  idempotencyKey = randomUUID(),
): Promise<string> {
  const answer = await gateway.send({
    apiKey: site.apiKey('main'),
    idempotencyKey,
    body: { ...newBody(), ...body },
  });
  t.is(answer.status, 202);
  return String(Object(JSON.parse(answer.text)).tracking_id);
}

/** Takes so many messages from a queue, and returns their tracking ids. */
async function received(queue: string, count: number): Promise<string[]> {
  const model = await connect(rabbitmq.url);
  const channel = await model.createChannel();
  const ids: string[] = [];
  await waitFor(`${count} messages`, async () => {
    const message = await channel.get(queue, { noAck: true });
    if (message !== false) ids.push(String(message.properties.messageId));
    return ids.length === count;
  });
  await model.close();
  return ids;
}

test.serial('recipe: raise a quota at noon -> the candidate is checked, and in force', async (t) => {
  const [checked = ''] = await cook('Check a candidate');
  t.regex(checked, /~ client "main": daily quota 1000 -> 2000/);
  await cook('Raise a quota at noon');
  await gateway.line('config.reloaded');
  const answer = await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
  t.regex(String(answer.headers['ratelimit-policy']), /q=2000/);
});

test.serial(
  'recipe: rotate an API key -> both keys are good, and the last use of each is told',
  async (t) => {
    const before = await readFile(files.clients, 'utf8');
    const editor = join(folder, 'bin', 'editor');
    const made = `new-key-${randomUUID()}`;
    const hash = createHash('sha256').update(made).digest('hex');
    // What a person does to the file: the same entry again, for the new key.
    const change = `s/^{\\("[^"]*"\\):{\\([^}]*\\)}/{\\1:{\\2},"sha256:${hash}":{"id":\\1,\\2}/`;
    await writeFile(editor, `#!/bin/sh\nexec sed -i '${change}' "$1"\n`);
    await chmod(editor, 0o755);
    const [key = '', changed = '', lastUse = ''] = await cook('Rotate an API key', { EDITOR: editor });
    t.regex(key, /smsgw_\w{38}\n[\s\S]*"sha256:\w{64}"/);
    t.regex(changed, /main/);
    t.regex(lastUse, /api_key="\w{6}\*\*\*"\} \d{10}\n/);
    const idempotencyKey = randomUUID();
    const body = newBody();
    const first = await gateway.send({ apiKey: site.apiKey('main'), idempotencyKey, body });
    const again = await waitFor('the new key in force', async () => {
      const answer = await gateway.send({ apiKey: made, idempotencyKey, body });
      return answer.status === 202 && answer;
    });
    t.is(again.text, first.text);
    await writeFile(files.clients, before);
    await waitFor('the old file in force', async () => {
      return (await gateway.send({ apiKey: made, body: newBody() })).status === 401;
    });
  },
);

test.serial('recipe: find a message -> its line of the log, and its record', async (t) => {
  const key = randomUUID();
  const id = await accepted(t, {}, key);
  await gateway.lineOf(id);
  const [line = '', ofKey = '', known = '', record = ''] = await cook('Find a message', {
    API_KEY: site.apiKey('main'),
    TRACKING_ID: id,
    CLIENT_ID: site.apiKey('main'),
    IDEMPOTENCY_KEY: key,
  });
  t.regex(line, /"outcome":"accepted"/);
  t.regex(ofKey, new RegExp(`"outcome":"accepted".*"tracking_id":"${id}"`));
  t.like(JSON.parse(known), { state: 'answered', accepted: 'yes', tracking_id: id });
  t.true(record.startsWith(`1A${id}`), record);
});

test.serial('recipe: dead letters -> listed, replayed under their ids, saved; nothing lost', async (t) => {
  await rabbitmq.ctl('purge_queue', 'sms.outbound');
  const late = await accepted(t, { ttl_seconds: 10 });
  const rejected = await accepted(t, { ttl_seconds: 3600 });
  const third = await accepted(t, { ttl_seconds: 10 });
  // Refused by its consumer, as Server B may; the others expire.
  const model = await connect(rabbitmq.url);
  const channel = await model.createChannel();
  // All of them are taken before the first goes back: otherwise it may be the one that is taken next.
  const taken = [
    await channel.get('sms.outbound'),
    await channel.get('sms.outbound'),
    await channel.get('sms.outbound'),
  ];
  for (const message of taken) {
    if (typeof message === 'object') channel.nack(message, false, message.properties.messageId !== rejected);
  }
  // A quorum queue may not see what a consumer says just before it ends.
  await waitFor('a dead letter', async () => (await messagesIn('sms.outbound.dead')) > 0, { everyMs: 500 });
  await model.close();
  await waitFor('three dead letters', async () => (await messagesIn('sms.outbound.dead')) === 3, {
    withinMs: 40_000,
    everyMs: 500,
  });
  const [listed = '', replayed = '', renewed = '', saved = ''] = await cook('Dead letters', {
    TRACKING_ID: late,
  });
  t.regex(listed, new RegExp(`${rejected} +rejected .* worth sending for \\d+ s`));
  t.regex(listed, new RegExp(`${late} +expired .* too late`));
  t.false(listed.includes('+98'));
  t.is(replayed.trim(), '1 replayed; 2 too late, left where they are');
  t.is(renewed.trim(), '1 replayed; 0 too late, left where they are');
  t.is(saved.trim(), `1 dead letters saved to ${join(folder, 'dead-letters.jsonl')}`);
  // RabbitMQ counts a quorum queue anew every few seconds.
  await waitFor('none left', async () => (await messagesIn('sms.outbound.dead')) === 0, {
    withinMs: 60_000,
    everyMs: 500,
  });
  const queued = await received('sms.outbound', 2);
  t.deepEqual(new Set(queued), new Set([rejected, late]));
  const file = join(folder, 'dead-letters.jsonl');
  t.is(Object(JSON.parse(await readFile(file, 'utf8'))).envelope.tracking_id, third);
  t.is((await stat(file)).mode & 0o077, 0);
});

test.serial('recipe: stop one client -> 401 from then on', async (t) => {
  await cook('Stop one client');
  await waitFor(
    'a 401',
    async () => (await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status === 401,
  );
  t.pass();
});

test('recipes: each that has commands -> is run here', (t) => {
  const source = ['recipes.test.ts', 'recipes-of-the-stack.test.ts']
    .map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
    .join('\n');
  for (const { title, text } of recipes) {
    if (codeBlocks(text).some(({ language }) => language === 'sh'))
      t.true(source.includes(`'${title}'`), title);
  }
});
