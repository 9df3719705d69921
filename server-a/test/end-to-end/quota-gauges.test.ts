import test from 'ava';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';
import { waitFor } from '../support/wait-for.js';

const site = new Site({
  clients: {
    main: { daily_quota: 10 },
    idle: { daily_quota: 7 },
    none: { daily_quota: 0 },
    off: { is_active: false },
  },
});
const gateway = await site.startGateway();

test.after.always(() => site.close());

test('quota gauges: clients in the configuration -> limit and use from the start, of the active ones', async (t) => {
  const page = await waitFor('the gauges', async () => {
    const seen = await scrape(gateway);
    return seen.text.includes('sms_quota_used{client="idle"} 0') && seen;
  });
  t.is(page.value('sms_quota_limit', { client: 'main' }), 10);
  t.is(page.value('sms_quota_limit', { client: 'idle' }), 7);
  t.regex(page.text, /^sms_quota_limit\{client="none"\} 0$/m);
  t.false(page.text.includes('client="off"'));
});

test('quota gauges: messages accepted -> counted within seconds, as in Redis', async (t) => {
  for (let i = 0; i < 3; i += 1) await gateway.send({ apiKey: site.apiKey('main'), body: newBody() });
  await waitFor(
    'three units',
    async () => (await scrape(gateway)).value('sms_quota_used', { client: 'main' }) === 3,
  );
  t.is(await site.used('main'), 3);
});

test('quota gauges: two keys with one name -> the one nearer to its limit', async (t) => {
  const clients = {
    [`old-${site.apiKey('main')}`]: { name: 'Moving', is_active: true, daily_quota: 100 },
    [`new-${site.apiKey('main')}`]: { name: 'Moving', is_active: true, daily_quota: 4 },
  };
  const own = new Site({ variables: { CLIENT_CONFIG: JSON.stringify(clients) } });
  t.teardown(() => own.close());
  const asked = await own.startGateway();
  const [oldKey = '', newKey = ''] = Object.keys(clients);
  await asked.send({ apiKey: oldKey, body: newBody() });
  await asked.send({ apiKey: newKey, body: newBody() });
  const page = await waitFor('a unit', async () => {
    const seen = await scrape(asked);
    return seen.value('sms_quota_used', { client: 'Moving' }) === 1 && seen;
  });
  t.is(page.value('sms_quota_limit', { client: 'Moving' }), 4);
  await own.redis.del(await own.redis.keys(`${own.quotaPrefix}:*`));
});
