import test from 'ava';
import { asObject } from '../support/json.js';
import { scrape } from '../support/metrics-page.js';
import { newBody, Site } from '../support/site.js';

const site = new Site({ clients: { main: {}, counted: {} } });
const gateway = await site.startGateway();
const open = await site.startGateway({ PROVIDER_GATE_ENABLED: 'false' });
const outbox = await site.openOutbox();
const apiKey = site.apiKey('main');

test.after.always(() => site.close());

/** Requests that pass: the names given, and those that Server B is told. */
const PASSING: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['the one name of a provider', ['Beta'], ['Beta']],
  ['a name in other letters', ['bETA'], ['Beta']],
  ['an alias', ['alpha-sms'], ['Alpha']],
  ['an alias in other letters', ['ALPHA-sms'], ['Alpha']],
  ['two that work', ['Beta', 'Alpha'], ['Beta', 'Alpha']],
  ['two that work, the other way round', ['first', 'beta'], ['Alpha', 'Beta']],
  ['some disabled among them', ['Gamma', 'Beta', 'Delta', 'Alpha', 'gamma-sms', 'BETA'], ['Beta', 'Alpha']],
  ['the same provider by three names', ['Alpha', 'alpha-sms', 'FIRST'], ['Alpha']],
];

for (const [circumstance, providers, effective] of PASSING) {
  test(`provider gate: ${circumstance} -> passes as ${effective.join(', ')}`, async (t) => {
    const body = { ...newBody(), providers };
    t.is((await gateway.send({ apiKey, body })).status, 202);
    const { envelope } = await outbox.theOneWithText(body.text);
    t.deepEqual(envelope['providers_effective'], effective);
    t.deepEqual(envelope['providers_original'], providers);
  });
}

/** Requests that are refused. */
const REFUSED: readonly (readonly [string, readonly string[], number, string])[] = [
  ['the one provider inactive', ['Gamma'], 409, 'PROVIDER_DISABLED'],
  ['the one provider not operational', ['Delta'], 409, 'PROVIDER_DISABLED'],
  ['the one provider inactive, by its alias', ['GAMMA-SMS'], 409, 'PROVIDER_DISABLED'],
  ['one disabled provider by two names', ['Gamma', 'gamma-sms', 'GAMMA'], 409, 'PROVIDER_DISABLED'],
  ['several, all disabled', ['Gamma', 'Delta'], 409, 'ALL_PROVIDERS_DISABLED'],
  ['an unknown name', ['Omega'], 422, 'UNKNOWN_PROVIDER'],
  ['an unknown name among known ones', ['Alpha', 'Omega', 'Beta'], 422, 'UNKNOWN_PROVIDER'],
  ['constructor', ['constructor'], 422, 'UNKNOWN_PROVIDER'],
  ['__proto__', ['__proto__'], 422, 'UNKNOWN_PROVIDER'],
  ['toString', ['toString'], 422, 'UNKNOWN_PROVIDER'],
  ['a name with a space around it', [' Alpha'], 422, 'UNKNOWN_PROVIDER'],
];

for (const [circumstance, providers, status, code] of REFUSED) {
  test(`provider gate: ${circumstance} -> ${status} ${code}, nothing sent`, async (t) => {
    const body = { ...newBody(), providers };
    const answer = await gateway.send({ apiKey, body });
    t.is(answer.status, status);
    t.is(answer.json['error_code'], code);
    t.deepEqual(await outbox.withText(body.text), []);
  });
}

test('provider gate: several unknown names -> all named, and the canonical names allowed', async (t) => {
  const answer = await gateway.send({ apiKey, body: { ...newBody(), providers: ['X', 'Alpha', 'y', 'X'] } });
  const details = asObject(answer.json['details']);
  t.deepEqual(details['unknown'], ['X', 'y']);
  t.deepEqual(details['allowed'], ['Alpha', 'Beta', 'Gamma', 'Delta']);
});

test('provider gate: refusals -> counted by client and provider, and logged as provider_gate.blocked', async (t) => {
  const counted = site.apiKey('counted');
  const ask = (providers: readonly string[]) =>
    gateway.send({ apiKey: counted, body: { ...newBody(), providers } });
  await ask(['Omega']);
  await ask(['Gamma']);
  await ask(['Gamma', 'Delta']);

  const page = await scrape(gateway);
  const client = 'counted';
  t.is(page.value('sms_request_rejected_unknown_provider_total', { client }), 1);
  t.is(page.value('sms_request_rejected_provider_disabled_total', { client, provider: 'Gamma' }), 2);
  t.is(page.value('sms_request_rejected_provider_disabled_total', { client, provider: 'Delta' }), 1);
  for (const code of ['UNKNOWN_PROVIDER', 'PROVIDER_DISABLED', 'ALL_PROVIDERS_DISABLED']) {
    const line = await gateway.line(
      'provider_gate.blocked',
      (candidate) => candidate['client'] === client && candidate['error_code'] === code,
    );
    t.regex(String(line['client_api_key']), /\*/);
  }
});

test('provider gate: none named and none available -> 503, counted and logged', async (t) => {
  const none = await site.startGateway({
    PROVIDERS_CONFIG: '{"A":{"is_active":true,"is_operational":false}}',
  });
  t.is((await none.send({ apiKey, body: newBody() })).status, 503);
  t.is((await none.send({ apiKey, body: { ...newBody(), providers: [] } })).status, 503);
  const page = await scrape(none);
  t.is(page.value('sms_request_rejected_no_provider_available_total', { client: 'main' }), 2);
  const line = await none.line('provider_gate.blocked');
  t.is(line['error_code'], 'NO_PROVIDER_AVAILABLE');
});

test('provider gate: no provider configured at all -> 503', async (t) => {
  const empty = await site.startGateway({ PROVIDERS_CONFIG: '{}' });
  t.is((await empty.send({ apiKey, body: newBody() })).status, 503);
});

test('provider gate: switched off -> names made canonical where known, nothing refused', async (t) => {
  const body = { ...newBody(), providers: ['omega', 'GAMMA', 'first', 'gamma-sms', 'constructor'] };
  t.is((await open.send({ apiKey, body })).status, 202);
  const { envelope } = await outbox.theOneWithText(body.text);
  t.deepEqual(envelope['providers_effective'], ['omega', 'Gamma', 'Alpha', 'constructor']);
  t.deepEqual(envelope['providers_original'], body.providers);
});

test('provider gate: switched off and no provider available -> accepted', async (t) => {
  const off = await site.startGateway({ PROVIDER_GATE_ENABLED: 'FALSE', PROVIDERS_CONFIG: '{}' });
  const body = newBody();
  t.is((await off.send({ apiKey, body })).status, 202);
  t.deepEqual((await outbox.theOneWithText(body.text)).envelope['providers_effective'], []);
});
