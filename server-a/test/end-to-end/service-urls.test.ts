/** What REDIS_URL and RABBITMQ_URL can say beside a host: users, passwords, databases, virtual hosts, parameters. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import test from 'ava';
import { Redis } from 'ioredis';
import { asObject } from '../support/json.js';
import { newBody, Site } from '../support/site.js';
import { RABBITMQ_URL, REDIS_URL } from '../support/test-services.js';

const ID = randomBytes(5).toString('hex');
const USER = `user:${ID}`;
/** Everything that means something in a URL, and letters that are two bytes. */
const PASSWORD = `p@ss/wörd?#%:& +${ID}`;
const LOGIN = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;
const DATABASE = 7;
const VHOST = `/test/${ID}`;

const redisHost = new URL(REDIS_URL).host;
const rabbitmqHost = new URL(RABBITMQ_URL).host;
const site = new Site();
const admin = new Redis(REDIS_URL);

test.before(async () => {
  await admin.call('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  await rabbitmqctl('add_user', USER, PASSWORD);
  await rabbitmqctl('add_vhost', VHOST);
  await rabbitmqctl('set_permissions', '--vhost', VHOST, USER, '.*', '.*', '.*');
});

test.after.always(async () => {
  await site.close();
  await admin.select(DATABASE);
  const left = await admin.keys(`*${site.apiKey('main')}*`);
  if (left.length > 0) await admin.del(left);
  await admin.call('ACL', 'DELUSER', USER);
  await admin.quit();
  await rabbitmqctl('delete_vhost', VHOST);
  await rabbitmqctl('delete_user', USER);
});

async function rabbitmqctl(...args: string[]): Promise<string> {
  const command = process.env['TEST_RABBITMQCTL'] ?? 'rabbitmqctl';
  const { stdout } = await promisify(execFile)(command, ['--quiet', ...args]);
  return stdout;
}

test('service URLs: users, passwords, database, virtual host and heartbeat -> all as written', async (t) => {
  const gateway = await site.startGateway({
    REDIS_URL: `redis://${LOGIN}@${redisHost}/${DATABASE}`,
    RABBITMQ_URL: `amqp://${LOGIN}@${rabbitmqHost}/${encodeURIComponent(VHOST)}?heartbeat=4&frameMax=8192`,
    // Its length is told at once; that of a quorum queue seconds later.
    RABBITMQ_QUEUE_TYPE: 'classic',
    PROVIDER_GATE_ENABLED: 'false',
  });
  // Its message is larger than a frame.
  const body = { ...newBody(), providers: ['x'.repeat(16_000)] };
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body })).status, 202);

  t.deepEqual(await site.keysOf('main'), []);
  const chosen = new Redis(REDIS_URL.replace(/\/\d*$/, ''), { db: DATABASE });
  t.is(await chosen.get(site.counterKey('main')), '1');
  await chosen.quit();

  const queues = await rabbitmqctl('list_queues', '--vhost', VHOST, 'name', 'messages');
  t.true(queues.includes(`${site.outboundQueue}\t1`), queues);
  const connections = await rabbitmqctl('list_connections', 'user', 'timeout');
  t.true(connections.includes(`${USER}\t4`), connections);
  const output = gateway.process.stdout + gateway.process.stderr;
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) t.false(output.includes(secret));
});

test('service URLs: a database that Redis does not have -> not ready, and never in another one', async (t) => {
  const gateway = await site.startGateway({ REDIS_URL: `redis://${redisHost}/99999` }, { untilReady: false });
  await gateway.line('redis.error', ({ err }) => String(asObject(err)['message']).includes('DB index'));
  await gateway.line('rabbitmq.ready');
  t.is((await gateway.ask('/readyz')).status, 503);
  t.is((await gateway.send({ apiKey: site.apiKey('main'), body: newBody() })).status, 500);
  t.false(gateway.log.some(({ message }) => message === 'redis.ready'));
  t.deepEqual(await site.keysOf('main'), []);
});

test('service URLs: passwords that are wrong -> not ready, and the log says so without them', async (t) => {
  const wrong = `wrong-${ID}`;
  const login = `${encodeURIComponent(USER)}:${wrong}`;
  const gateway = await site.startGateway(
    { REDIS_URL: `redis://${login}@${redisHost}/0`, RABBITMQ_URL: `amqp://${login}@${rabbitmqHost}/` },
    { untilReady: false },
  );
  await gateway.line('redis.error', ({ err }) => String(asObject(err)['message']).includes('WRONGPASS'));
  await gateway.line('rabbitmq.connect_failed', ({ err }) =>
    /ACCESS.REFUSED/.test(String(asObject(err)['message'])),
  );
  t.is((await gateway.ask('/readyz')).status, 503);
  t.false(gateway.process.stdout.includes(wrong));
});
