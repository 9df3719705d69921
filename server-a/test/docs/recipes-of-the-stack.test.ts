/** The commands of docs/recipes.md about the gateways and their services. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import test from 'ava';
import { Redis } from 'ioredis';
import { startRedisServer } from '../../dev/services/redis-server.js';
import { closeKitchen, cook, folder, messagesIn, ROOT, rabbitmq, recipes } from './kitchen.js';

test.after.always(closeKitchen);

test.serial('recipe: move a queue -> the old one is taken away only when it is empty', async (t) => {
  const model = await connect(rabbitmq.url);
  const channel = await model.createConfirmChannel();
  for (const name of ['sms.old', 'sms.old.dead']) await channel.assertQueue(name);
  channel.sendToQueue('sms.old', Buffer.from('x'));
  await channel.waitForConfirms();
  await t.throwsAsync(cook('Move a queue'));
  t.is((await channel.purgeQueue('sms.old')).messageCount, 1);
  await cook('Move a queue');
  t.is(await messagesIn('sms.old'), Number.NaN);
  await model.close();
});

test.serial('recipe: purge -> its commands run', async (t) => {
  t.true((await cook('Purge')).length > 0);
});

test.serial(
  'recipe: with the production file -> its commands run, with the image of the Dockerfile',
  async (t) => {
    await mkdir(join(folder, 'secrets', 'redis'), { recursive: true });
    await mkdir(join(folder, 'secrets', 'gateway'), { recursive: true });
    await writeFile(join(folder, 'secrets', 'redis', 'password'), 'pass-word\n');
    await writeFile(join(folder, 'secrets', 'gateway', 'rabbitmq_url'), `${rabbitmq.url}\n`);
    const [, memory = '', ready = '', listed] = await cook('With the production file');
    t.regex(memory, /used_memory:/);
    t.regex(ready, /"status":"ready"/);
    t.is(typeof listed, 'string');
    const image = /^FROM (\S+) AS/m.exec(readFileSync(join(ROOT, 'server-a/Dockerfile'), 'utf8'))?.[1];
    t.true(
      recipes.some(({ text }) => text.includes(` ${image} npm run`)),
      image,
    );
    t.regex(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), /^name: sms-gateway$/m);
  },
);

test.serial(
  'recipe: upgrade, and back -> the configuration is checked before anything is replaced',
  async (t) => {
    const done = join(folder, 'done');
    for (const [title, brought] of [
      ['Upgrade', 'git pull --ff-only'],
      ['Roll back', 'git switch --detach v0.1.0'],
    ] as const) {
      await writeFile(done, '');
      await cook(title, { DONE: done, REPLICAS: '3', OLD_VERSION: 'v0.1.0' });
      t.deepEqual((await readFile(done, 'utf8')).trim().split('\n'), [
        brought,
        'make build',
        '--check-config',
        'up --scale server-a=3 server-a',
      ]);
    }
  },
);

test.serial(
  'recipe: back up and restore -> what was there at the copy is there again, and no more',
  async (t) => {
    const dataDir = join(folder, 'redis-data');
    const server = await startRedisServer({ dataDir, appendOnly: true });
    t.teardown(() => server.kill());
    const variables = { REDIS: server.url, REDIS_DATA: dataDir };
    const before = new Redis(server.url);
    await before.set('before', 'the copy');
    await cook('Back up and restore', variables, [0]);
    await before.set('after', 'the copy');
    t.deepEqual(await before.config('GET', 'auto-aof-rewrite-percentage'), [
      'auto-aof-rewrite-percentage',
      '100',
    ]);
    await before.quit();
    await server.stop();
    await cook('Back up and restore', variables, [1]);
    await server.start();
    const restored = new Redis(server.url);
    t.is(await restored.get('before'), 'the copy');
    t.is(await restored.get('after'), null);
    await restored.quit();
    t.regex((await cook('Back up and restore', variables, [2])).join(''), /"queues"/);
  },
);
